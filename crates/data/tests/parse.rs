//! The cursor shared by the parsers of binary files.

use tks_data::parse::Cursor;

#[test]
fn a_line_is_read_without_its_end_which_is_passed_over() {
    let mut cursor = Cursor::new("toy", b"first\n\nrest");
    assert_eq!(cursor.until(b'\n').unwrap(), b"first");
    assert_eq!(cursor.offset(), 6);
    assert_eq!(cursor.until(b'\n').unwrap(), b"");
    let error = cursor.until(b'\n').unwrap_err();
    assert_eq!(error.offset, 7);
    assert!(error.to_string().contains("no byte 0x0a"), "{error}");
    assert_eq!(cursor.take(4).unwrap(), b"rest");
}
