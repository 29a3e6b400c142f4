use super::*;

fn report(text: &str) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("floodwall.toml");
    std::fs::write(&file, text).unwrap();
    let (settings, _) = Settings::load(&file).unwrap();
    let reach = Reach::of(&settings);
    (reach.text(Path::new("floodwall.toml")), serde_json::to_string_pretty(&reach).unwrap())
}

#[test]
fn a_small_file() {
    let (text, _) = report(
        "[[site]]\nname = \"sos\"\nhosts = [\"www.sos.example.gov\"]\norigin = [\"http://10.0.0.5:8080\"]\n",
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_file_that_says_what_is_out_of_reach() {
    let (text, json) = report(
        r#"
[server]
admin = "0.0.0.0:9800"
internal = ["10.9.0.0/16", "fd00:9::/32"]
[[site]]
name = "sos"
hosts = ["www.sos.example.gov", "*.vote.example.gov"]
origin = ["http://10.0.0.5:8080", "http://origin.example.gov"]
role = "public"
paths = ["/", "/news/*", "/polling-place*"]
[[site]]
name = "staff"
hosts = ["staff.example.gov"]
origin = ["http://10.9.0.7"]
role = "internal"
"#,
    );
    insta::assert_snapshot!(text);
    insta::assert_snapshot!(json);
}
