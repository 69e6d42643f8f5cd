//! The readers on files written by SciPy and Python, also truncated and changed.

mod common;

use common::fixture;
use tks_data::parse::mat::{MatValue, parse_mat, parse_mat_variable};
use tks_images::parse::cifar::{CifarLayout, parse_cifar};
use tks_images::parse::idx::parse_idx;
use tks_images::parse::lines::{parse_boxes, parse_number_pairs, parse_numbers, parse_pairs, parse_rows};
use tks_images::parse::pickle::{parse_cifar_names, parse_cifar_pickle};

#[test]
fn the_lists_of_the_fine_grained_sets_read_compressed_and_plain() {
    for suffix in ["", "_plain"] {
        let dogs = fixture(&format!("dogs_train_list{suffix}.mat"));
        let files = parse_mat_variable(&dogs, "file_list").unwrap();
        assert_eq!(files.texts().unwrap()[2], "n02085782-Japanese_spaniel/n02085782_1039.jpg");
        let MatValue::Numbers { dims, values } = parse_mat_variable(&dogs, "labels").unwrap() else {
            panic!("labels are numbers")
        };
        assert_eq!((dims, values.iter().collect()), (vec![4, 1], vec![1.0, 1.0, 2.0, 120.0]));

        let cars =
            parse_mat_variable(&fixture(&format!("cars_train_annos{suffix}.mat")), "annotations").unwrap();
        let rows: Vec<_> = cars
            .elements()
            .unwrap()
            .map(|row| {
                let number = |field| row.field(field).unwrap().number().unwrap();
                (row.field("fname").unwrap().text().unwrap().to_owned(), number("class"), number("bbox_x2"))
            })
            .collect();
        assert_eq!(rows[0], ("00001.jpg".into(), 14.0, 569.0));
        assert_eq!(rows[3], ("00004.jpg".into(), 196.0, 1484.0));
    }
}

#[test]
fn a_mat_file_without_the_variable_tells_what_it_has() {
    let error = parse_mat_variable(&fixture("cars_meta.mat"), "annotations").unwrap_err().to_string();
    assert!(error.contains("no variable `annotations`") && error.contains("class_names"), "{error}");
}

#[test]
fn python_and_binary_versions_of_cifar_agree() {
    let binary = fixture("cifar10_batch.bin");
    let records: Vec<_> = parse_cifar(&binary, CifarLayout::Cifar10).unwrap().iter().collect();
    assert_eq!(records.iter().map(|record| record.label).collect::<Vec<_>>(), [6, 9, 9, 4, 1]);
    for name in ["cifar10_batch_py2.pickle", "cifar10_batch_py3.pickle"] {
        let bytes = fixture(name);
        let batch = parse_cifar_pickle(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(batch.labels, [6, 9, 9, 4, 1]);
        assert_eq!(batch.coarse, None);
        let pixels: Vec<u8> = records.iter().flat_map(|record| record.pixels).copied().collect();
        assert_eq!(batch.pixels, pixels);
    }

    let binary = fixture("cifar100_train.bin");
    let bytes = fixture("cifar100_train_py2.pickle");
    let batch = parse_cifar_pickle(&bytes).unwrap();
    let records = parse_cifar(&binary, CifarLayout::Cifar100).unwrap();
    assert_eq!(records.len(), 5);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(i64::from(record.label), batch.labels[index]);
        assert_eq!(record.coarse.map(i64::from), batch.coarse.as_ref().map(|coarse| coarse[index]));
        assert_eq!(record.pixels, &batch.pixels[index * 3072..][..3072]);
    }
    let names = parse_cifar_names(&fixture("cifar10_meta_py2.pickle"), "label_names").unwrap();
    assert_eq!(names, ["airplane", "automobile", "bird"]);
}

#[test]
fn a_pickle_that_would_run_something_is_refused() {
    // `pickle.loads` would run this as os.system("id")
    let error = parse_cifar_pickle(b"cos\nsystem\n(S'id'\ntR.").unwrap_err().to_string();
    assert!(error.contains("`os.system`, which is not called"), "{error}");
    let error = parse_cifar_pickle(b"\x80\x04\x95").unwrap_err().to_string();
    assert!(error.contains("protocol 4"), "{error}");
}

#[test]
fn a_pickle_cannot_make_memory_grow_out_of_proportion() {
    // a list that contains itself again and again, and a text that is decoded again and again
    let mut bomb = b"\x80\x02]q\x00".to_vec();
    bomb.extend(std::iter::repeat_n(*b"h\x00a", 100_000).flatten());
    bomb.push(b'.');
    assert!(parse_cifar_pickle(&bomb).unwrap_err().to_string().contains("without `labels`"));
    let error = parse_cifar_pickle(&vec![b']'; 1 << 22]).unwrap_err().to_string();
    assert!(error.contains("more than"), "{error}");
}

#[test]
fn cifar_files_of_a_wrong_length_tell_the_record() {
    let binary = fixture("cifar10_batch.bin");
    let error = parse_cifar(&binary[..4000], CifarLayout::Cifar10).unwrap_err();
    assert_eq!(error.offset, 3073);
    assert!(error.to_string().contains("record 1 is cut: 927 of its 3073 bytes"), "{error}");
    let error = parse_cifar(&binary, CifarLayout::Cifar100).unwrap_err().to_string();
    assert!(error.contains("fits the other of CIFAR10 and CIFAR100"), "{error}");
    assert!(parse_cifar(&[], CifarLayout::Cifar10).is_err());
}

fn idx_file(count: u32, values: usize) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    for size in [count, 2, 3] {
        file.extend(size.to_be_bytes());
    }
    file.extend((0..values).map(|value| value as u8));
    file
}

#[test]
fn idx_files_read() {
    let file = idx_file(4, 24);
    let idx = parse_idx(&file).unwrap();
    assert_eq!((idx.header.dims.as_slice(), idx.values.len()), (&[4, 2, 3][..], 24));
}

#[test]
fn idx_errors_name_the_place() {
    let problem = |file: &[u8]| parse_idx(file).unwrap_err().to_string();
    assert!(problem(&idx_file(5, 24)).contains("announces 30 values ([5, 2, 3]), the file has 24"));
    assert!(problem(&idx_file(3, 24)).contains("announces 18"));
    assert!(problem(&[0, 0, 0x0d, 1, 0, 0, 0, 1, 0]).contains("values of type 0x0d (at byte 2)"));
    assert!(problem(&[0x1f, 0x8b, 8, 0]).contains("two zero bytes"));
    assert!(
        problem(&[0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            .contains("memory")
    );
}

#[test]
fn tables_tell_the_line() {
    assert_eq!(parse_pairs(b"1 a/b c.jpg\r\n\n2 d.jpg").unwrap(), [(1, "a/b c.jpg"), (2, "d.jpg")]);
    assert_eq!(parse_number_pairs(b"1 0\n2 1\n").unwrap(), [(1, 0), (2, 1)]);
    assert_eq!(parse_numbers(b"490\n361\n").unwrap(), [490, 361]);
    assert_eq!(parse_boxes(b"1 60.0 27.0 325.0 304.0\n").unwrap(), [(1, [60.0, 27.0, 325.0, 304.0])]);
    let error = parse_number_pairs(b"1 0\n2 x\n").unwrap_err();
    assert_eq!(error.offset, 4);
    assert!(error.to_string().contains("line 2: `2 x`"), "{error}");
    assert!(
        parse_pairs(b"1\n").is_err()
            && parse_numbers(b"1 2\n").is_err()
            && parse_boxes(b"1 2 3 4 nan").is_err()
    );
}

/// Every reader on the same bytes: none may panic, for any contents.
fn read_as_everything(bytes: &[u8]) {
    let _ = parse_mat(bytes);
    let _ = parse_cifar_pickle(bytes);
    let _ = parse_cifar_names(bytes, "label_names");
    let _ = parse_cifar(bytes, CifarLayout::Cifar10).map(|records| records.iter().count());
    let _ = parse_cifar(bytes, CifarLayout::Cifar100).map(|records| records.iter().count());
    let _ = parse_idx(bytes);
    let _ = (
        parse_pairs(bytes),
        parse_number_pairs(bytes),
        parse_numbers(bytes),
        parse_boxes(bytes),
        parse_rows(bytes, 3),
    );
}

#[test]
fn cut_and_changed_files_are_errors_not_panics() {
    let mut files: Vec<Vec<u8>> =
        ["dogs_train_list.mat", "dogs_train_list_plain.mat", "cars_train_annos_plain.mat"]
            .into_iter()
            .chain(["imagenet_meta_plain.mat", "cifar10_meta_py2.pickle"])
            .map(fixture)
            .collect();
    // the opcodes of the pickles, with pixels for only one image
    for name in ["cifar10_batch_py2.pickle", "cifar10_batch_py3.pickle", "cifar100_train_py2.pickle"] {
        let file = fixture(name);
        let middle = file.len() / 2;
        files.push([&file[..600], &file[middle..middle + 200], &file[file.len() - 600..]].concat());
    }
    files.extend([idx_file(4, 24), b"1 a\n2 b\n".to_vec()]);
    for file in files {
        for end in 0..file.len() {
            read_as_everything(&file[..end]);
        }
        let mut changed = file.clone();
        for at in 0..file.len() {
            for flip in [0x01, 0x80, 0xff] {
                changed[at] ^= flip;
                read_as_everything(&changed);
                changed[at] ^= flip;
            }
        }
    }
}

#[test]
fn cut_files_are_never_taken_for_whole_ones() {
    for name in ["dogs_train_list.mat", "cars_train_annos_plain.mat"] {
        let file = fixture(name);
        let whole = parse_mat(&file).unwrap();
        for end in 0..file.len() {
            // padding at the end may be missing: the content is then the same
            if let Ok(cut) = parse_mat(&file[..end]) {
                assert!(cut.len() < whole.len() || cut == whole, "{name} cut at {end}");
            }
        }
    }
    let file = fixture("cifar10_batch_py2.pickle");
    for end in 0..file.len() {
        assert!(parse_cifar_pickle(&file[..end]).is_err(), "cut at {end}");
    }
}
