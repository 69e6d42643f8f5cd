//! MATLAB v5 files byte by byte: errors with their positions, and values that are only just valid.

use std::io::Write;

use tks_data::parse::mat::{MatValue, parse_mat, parse_mat_variable, parse_mat_within};
use tks_data::parse::{Cursor, FETCH_AGAIN, ParseError};

/// An element of a little-endian file: type, length, data, padded to 8 bytes.
fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An element of at most four bytes, in the small format.
fn small(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = (kind | (data.len() as u32) << 16).to_le_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

/// The content of an array named `x`: flags (24 bytes including the array's own tag), sizes, name, content.
fn array_with(flags: Vec<u8>, sizes: Vec<u8>, name: Vec<u8>, content: &[u8]) -> Vec<u8> {
    element(14, &[flags, sizes, name, content.to_vec()].concat())
}

fn flags(class: u32) -> Vec<u8> {
    element(6, &[class.to_le_bytes(), [0; 4]].concat())
}

fn sizes(dims: &[u32]) -> Vec<u8> {
    element(5, &dims.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<u8>>())
}

fn array(class: u32, dims: &[u32], content: &[u8]) -> Vec<u8> {
    array_with(flags(class), sizes(dims), element(1, b"x"), content)
}

fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    [&[b' '; 124][..], &[0, 1, b'I', b'M'], &parts.concat()].concat()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(data).unwrap();
    packed.finish().unwrap()
}

/// A compressed element, which is not padded.
fn compressed(data: &[u8]) -> Vec<u8> {
    let packed = zlib(data);
    [&15u32.to_le_bytes()[..], &(packed.len() as u32).to_le_bytes(), &packed].concat()
}

/// The position and message of the error.
fn fault(bytes: &[u8]) -> (u64, String) {
    let error = parse_mat(bytes).unwrap_err();
    assert_eq!(error.format, "MATLAB v5");
    (error.offset, error.problem)
}

fn value(bytes: &[u8]) -> MatValue {
    parse_mat_variable(bytes, "x").unwrap_or_else(|error| panic!("{error}"))
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    let MatValue::Numbers { values, .. } = value(bytes) else { panic!("no numbers") };
    assert_eq!((values.len(), values.is_empty()), (values.iter().len(), values.iter().len() == 0));
    values.iter().collect()
}

#[test]
fn a_fault_is_told_with_its_byte() {
    let number = element(2, &[7]);
    let one = array(9, &[1, 1], &number);
    let with = |class, dims: &[u32], content: &[u8]| file(&[array(class, dims, content)]);
    let header = |at: usize, bytes: &[u8]| {
        let mut file = file(std::slice::from_ref(&one));
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let text = |kind, data: &[u8]| element(kind, data);
    // The parts of the first array begin at these bytes: the flags' data at 144, sizes' at 160, name's at
    // 176, content's at 192.
    let cases: Vec<(Vec<u8>, u64, &str)> = vec![
        (vec![0; 100], 0, "128 bytes wanted, 100 left"),
        (header(126, b"XX"), 126, "no byte order `IM` or `MI`: no MATLAB v5 file"),
        (header(124, &[1, 1]), 124, "version 0x0101"),
        (header(124, &[0, 2]), 124, "a version 7.3 (HDF5) file"),
        (file(&[element(9, &[0; 8])]), 128, "an element of type 9 instead of a matrix"),
        (
            file(&[one.clone(), element(1, &[0; 8])]),
            128 + one.len() as u64,
            "an element of type 1 instead of a matrix",
        ),
        (file(&[one[..20].to_vec()]), 136, "64 bytes wanted, 12 left"),
        (file(&[(5 << 16 | 1u32).to_le_bytes().to_vec()]), 132, "a small element of 5 bytes"),
        (file(&[array_with(sizes(&[1, 1]), vec![], vec![], &[])]), 144, "array flags of type 5"),
        (
            file(&[array_with(small(6, &[9, 0]), vec![], vec![], &[])]),
            140,
            "array flags of fewer than 4 bytes",
        ),
        (with(3, &[1, 1], &number), 144, "an array of class 3 (object, sparse or function)"),
        (with(5, &[1, 1], &number), 144, "an array of class 5 (object, sparse or function)"),
        (with(16, &[1, 1], &number), 144, "an array of class 16 (object, sparse or function)"),
        (with(0, &[1, 1], &number), 144, "an array of class 0 (object, sparse or function)"),
        (with(9, &[1; 33], &number), 144, "an array of 33 dimensions"),
        (with(9, &[], &number), 144, "sizes []"),
        (with(9, &[u32::MAX; 3], &number), 144, "sizes [4294967295, 4294967295, 4294967295]"),
        (file(&[array_with(flags(9), element(9, &[0; 8]), vec![], &[])]), 160, "sizes of type 9"),
        (file(&[array_with(flags(9), sizes(&[1, 1]), element(9, b"x"), &[])]), 176, "a name of type 9"),
        (with(9, &[1, 2], &number), 192, "1 numbers for sizes [1, 2]"),
        (with(9, &[1, 1], &element(4, &[1, 2, 3])), 192, "3 bytes of numbers of 2 bytes"),
        (with(9, &[1, 1], &element(8, &[1])), 192, "numbers of type 8"),
        (with(9, &[1, 1], &[]), 184, "4 bytes wanted, 0 left"),
        (with(1, &[1, 2], &array(9, &[1, 1], &number)), 256, "4 bytes wanted, 0 left"),
        (with(1, &[1, 2], &[]), 184, "2 values, cut before their end"),
        (with(1, &[1, 1], &number), 192, "a cell or field of type 2"),
        (with(4, &[1, 2], &text(9, &[0; 8])), 192, "text of type 9"),
        (with(4, &[1, 1], &text(16, &[0xff])), 192, "text that is no UTF-8 or UTF-16"),
        (with(4, &[1, 1], &text(17, &[0, 0xd8])), 192, "text that is no UTF-8 or UTF-16"),
        (with(4, &[1, 3], &text(16, b"ab")), 192, "2 characters for sizes [1, 3]"),
        (with(4, &[2, 1], &text(16, b"ab")), 192, "text of 2 rows"),
        (with(2, &[1, 1], &element(9, &[0; 8])), 192, "the length of field names of type 9"),
        (
            with(2, &[1, 1], &[small(5, &[4, 0, 0, 0]), element(9, &[0; 8])].concat()),
            200,
            "field names of type 9",
        ),
        (
            with(2, &[1, 1], &[small(5, &[4, 0, 0, 0]), element(1, b"a\0\0\0b")].concat()),
            200,
            "5 bytes of field names of 4",
        ),
        (
            with(2, &[1, 1], &[small(5, &[0, 0, 0, 0]), element(1, b"a")].concat()),
            200,
            "1 bytes of field names of 0",
        ),
        (
            with(2, &[u32::MAX, u32::MAX], &[small(5, &[1, 0, 0, 0]), element(1, b"abc")].concat()),
            200,
            "sizes [4294967295, 4294967295] of 3 fields",
        ),
    ];
    for (bytes, offset, problem) in cases {
        assert_eq!(fault(&bytes), (offset, problem.to_string()));
    }
    for (bytes, remedy) in [
        (file(&[one[..20].to_vec()]), FETCH_AGAIN),
        (
            with(3, &[1, 1], &number),
            "only the parts of MATLAB v5 that the data sets use are read: save it with `-v6` or `-v7`",
        ),
    ] {
        assert_eq!(parse_mat(&bytes).unwrap_err().remedy, remedy);
    }
    let error = parse_mat_variable(&file(std::slice::from_ref(&one)), "y").unwrap_err().to_string();
    assert_eq!(
        error,
        "MATLAB v5: no variable `y`, only [\"x\"] (at byte 128); it is another file than its name says"
    );
}

#[test]
fn what_is_just_right_is_read() {
    let number = element(2, &[7]);
    for class in [6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
        assert_eq!(numbers(&file(&[array(class, &[1, 1], &number)])), [7.0], "class {class}");
    }
    // Only the first byte of the flags is the class.
    let logical = array_with(element(6, &[9, 2, 0, 0, 0, 0, 0, 0]), sizes(&[1, 1]), small(1, b"x"), &number);
    assert_eq!(numbers(&file(&[logical])), [7.0]);
    assert_eq!(numbers(&file(&[array(9, &[1; 32], &number)])), [7.0]);
    assert_eq!(
        numbers(&file(&[array_with(
            flags(9),
            element(6, &[1, 0, 0, 0, 1, 0, 0, 0]),
            element(16, b"x"),
            &number
        )])),
        [7.0]
    );
    assert_eq!(numbers(&file(&[array_with(flags(9), sizes(&[1, 1]), element(2, b"x"), &number)])), [7.0]);
    assert_eq!(numbers(&file(&[array(9, &[2, 2], &small(2, &[1, 2, 3, 4]))])), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(numbers(&file(&[array(9, &[0, 3], &element(9, &[]))])), [] as [f64; 0]);
    // The padding of the last element is optional.
    let whole = file(&[array(9, &[1, 1], &number)]);
    let mut unpadded = whole[..whole.len() - 7].to_vec();
    unpadded[132] -= 7;
    assert_eq!(numbers(&unpadded), [7.0]);
    // The imaginary part of a number is skipped.
    assert_eq!(numbers(&file(&[array(9, &[1, 1], &[number.clone(), element(2, &[8])].concat())])), [7.0]);

    let said = |kind, dims: &[u32], data: &[u8]| value(&file(&[array(4, dims, &element(kind, data))]));
    for (kind, dims, data, text) in [
        (1, &[1, 2][..], b"ab".as_slice(), "ab"),
        (2, &[1, 2], b"ab", "ab"),
        (16, &[1, 1], "ä".as_bytes(), "ä"),
        (16, &[1, 2], "ä".as_bytes(), "ä"),
        (17, &[1, 1], &[0xe4, 0], "ä"),
        (4, &[1, 2], &[0x3d, 0xd8, 0x0a, 0xde], "😊"),
        (16, &[2, 0], b"", ""),
    ] {
        assert_eq!(said(kind, dims, data), MatValue::Text(text.into()), "type {kind}");
    }
    let nameless = array_with(flags(9), sizes(&[1, 1]), element(1, b""), &number);
    let named: Vec<String> = parse_mat(&file(&[nameless, array(9, &[1, 1], &number)]))
        .unwrap()
        .into_iter()
        .map(|v| v.name)
        .collect();
    assert_eq!(named, ["x"], "what has no name is MATLAB's own");
    // An array without bytes is empty.
    let hole = value(&file(&[array(1, &[1, 1], &element(14, &[]))]));
    let MatValue::Cells { dims, values } = hole else { panic!("{hole:?}") };
    let MatValue::Numbers { dims: none, values: numbers } = &values[0] else { panic!("{values:?}") };
    assert_eq!((dims, none.as_slice(), numbers.len()), (vec![1, 1], &[0, 0][..], 0));
    assert!(numbers.is_empty() && numbers.kind().float && numbers.kind().signed && numbers.kind().size == 8);
}

#[test]
fn fields_are_found_by_their_names() {
    let cell = |n: u8| array(9, &[1, 1], &element(2, &[n]));
    let content =
        [small(5, &[3, 0, 0, 0]), element(1, b"ab\0abc"), cell(1), cell(2), cell(3), cell(4)].concat();
    let found = value(&file(&[array(2, &[1, 2], &content)]));
    let rows: Vec<[Option<f64>; 3]> = found
        .elements()
        .unwrap()
        .map(|row| ["ab", "abc", "b"].map(|name| row.field(name).and_then(MatValue::number)))
        .collect();
    assert_eq!(rows, [[Some(1.0), Some(2.0), None], [Some(3.0), Some(4.0), None]]);
    let MatValue::Structs { dims, fields, .. } = &found else { panic!("{found:?}") };
    assert_eq!(
        (dims.as_slice(), fields.as_slice()),
        (&[1, 2][..], &["ab".to_string(), "abc".to_string()][..])
    );
    let empty = MatValue::Structs { dims: vec![1, 1], fields: vec![], values: vec![] };
    assert!(empty.elements().is_none());
    assert!(found.texts().is_none() && found.number().is_none());
}

#[test]
fn compressed_elements_share_one_limit() {
    let x = array(9, &[1, 1], &element(2, &[7]));
    let y = array_with(flags(9), sizes(&[1, 1]), element(1, b"y"), &element(2, &[8]));
    let both = file(&[compressed(&x), compressed(&y)]);
    let all = (x.len() + y.len()) as u64;
    let names: Vec<String> = parse_mat_within(&both, all).unwrap().into_iter().map(|v| v.name).collect();
    assert_eq!(names, ["x", "y"]);
    let start = 128 + compressed(&x).len() as u64;
    let error = parse_mat_within(&both, all - 1).unwrap_err();
    let left = y.len() - 1;
    assert_eq!(
        (error.offset, error.problem.as_str()),
        (start + 8, format!("unpacks to more than the {left} bytes that are left for it").as_str())
    );
    // A fault inside is reported at the start of the element.
    let wrong = file(&[compressed(&x), compressed(&array(9, &[1, 2], &element(2, &[8])))]);
    assert_eq!(
        fault(&wrong),
        (start, "1 numbers for sizes [1, 2] (byte 64 of the unpacked element)".to_string())
    );
    let other = file(&[compressed(&x), compressed(&element(9, &[0; 8]))]);
    assert_eq!(fault(&other), (start, "a compressed element of type 9".to_string()));
    let cut = file(&[compressed(&x), compressed(&y[..4])]);
    assert_eq!(fault(&cut), (start, "4 bytes wanted, 0 left (byte 4 of the unpacked element)".to_string()));
    let mut noise = compressed(&x);
    noise[8..].fill(0xaa);
    let (at, said) = fault(&file(&[noise]));
    assert!(at == 136 && said.starts_with("compressed element: "), "{at}: {said}");
}

#[test]
fn a_cursor_counts_what_it_gives() {
    let mut cursor = Cursor::new("toy", &[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((cursor.u8().unwrap(), cursor.offset(), cursor.remaining()), (1, 1, 6));
    assert_eq!((cursor.array().unwrap(), cursor.offset()), ([2, 3], 3));
    assert_eq!(cursor.take_up_to(2), [4, 5]);
    assert_eq!((cursor.take_up_to(9), cursor.remaining()), (&[6, 7][..], 0));
    assert!(cursor.take(0).unwrap().is_empty());
    let error = cursor.take(1).unwrap_err();
    let expected = ParseError {
        format: "toy",
        offset: 7,
        problem: "1 bytes wanted, 0 left".into(),
        remedy: FETCH_AGAIN,
    };
    assert_eq!(error, expected);
    assert!(cursor.u8().is_err() && cursor.array::<2>().is_err());
    assert_eq!(cursor.error_at(3, "x").offset, 3);
}
