//! The errors of the system in Korean. The system's own texts are English where its locale is.

/// The texts of glibc's `strerror` with their translations.
const ERRORS: [(&str, &str); 12] = [
    ("Permission denied", "권한이 없습니다"),
    ("Operation not permitted", "허용되지 않는 작업입니다"),
    ("No such file or directory", "파일이나 폴더가 없습니다"),
    ("File exists", "파일이 이미 있습니다"),
    ("File too large", "파일이 너무 큽니다"),
    ("No space left on device", "저장 공간이 없습니다"),
    ("Disk quota exceeded", "디스크 할당량을 넘었습니다"),
    ("Read-only file system", "읽기 전용 파일 시스템입니다"),
    ("Input/output error", "입출력 오류입니다"),
    ("Too many open files", "열린 파일이 너무 많습니다"),
    ("Cannot allocate memory", "메모리가 부족합니다"),
    ("Connection refused", "연결이 거부되었습니다"),
];

/// The text with the system's errors in it translated; they are followed by their number.
pub(super) fn translated(mut text: String) -> String {
    if text.contains(" (os error ") {
        for (english, korean) in ERRORS {
            let [from, to] = [english, korean].map(|error| format!("{error} (os error "));
            text = text.replace(&from, &to);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_within_a_text_is_translated() {
        for (number, korean) in [(28, "저장 공간이 없습니다"), (13, "권한이 없습니다")]
        {
            let error = std::io::Error::from_raw_os_error(number);
            let text = translated(format!("a/b: {error}. c"));
            assert_eq!(text, format!("a/b: {korean} (os error {number}). c"));
        }
        assert_eq!(
            translated("File exists".to_owned()),
            "File exists",
            "a name of a file, perhaps"
        );
    }
}
