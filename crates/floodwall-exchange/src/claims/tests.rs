use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn all(format: ClaimFormat, text: &[u8]) -> (Vec<Item>, ReadCounts, Option<String>) {
    let (mut items, mut counts) = (Vec::new(), ReadCounts::default());
    let read = read(format, Cursor::new(text), None, &mut counts, |item| items.push(item));
    (items, counts, read.err().map(|fault| fault.to_string()))
}

fn posts(format: ClaimFormat, text: &str) -> Vec<Post> {
    let (items, _, fault) = all(format, text.as_bytes());
    assert_eq!(fault, None);
    items
        .into_iter()
        .map(|item| match item {
            Item::Post(post) => post,
            other => panic!("{other:?}"),
        })
        .collect()
}

const CHAT: &str = r#"{"name": "Example Group", "type": "public_channel", "id": 17, "messages": [
 {"id": 1, "type": "service", "date": "2022-11-08T10:00:00", "date_unixtime": "1667901600", "action": "create_channel", "text": ""},
 {"id": 2, "type": "message", "date": "2022-11-08T14:02:07", "date_unixtime": "1667916127",
  "edited": "2022-11-08T15:00:00", "edited_unixtime": "1667919600", "from": "Example Group",
  "text": ["First target: ", {"type": "link", "text": "https://www.sos.example.gov/"}, " and ", {"type": "text_link", "text": "this", "href": "https://vote.example.gov"}, "!"],
  "text_entities": [{"type": "plain", "text": "First target: "}, {"type": "link", "text": "https://www.sos.example.gov/"}]},
 {"id": 3, "type": "message", "date": "2022-11-08T14:10:00", "forwarded_from": "Somebody", "text": "it is down"},
 {"id": 4, "type": "message", "date": "yesterday", "text": "no time"},
 {"id": 5, "type": "message", "date_unixtime": 1667916200, "text": ""},
 7]}"#;

#[test]
fn a_chat_as_telegram_desktop_exports_it() {
    let (items, counts, fault) = all(ClaimFormat::Telegram, CHAT.as_bytes());
    assert_eq!(fault, None);
    assert_eq!(counts, ReadCounts { taken: 2, empty: 2, without_time: 1, unreadable: 1 });
    let [Item::Post(first), Item::Post(second)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(first.text, "First target: https://www.sos.example.gov/ and this!");
    assert_eq!(first.links, ["https://www.sos.example.gov/", "https://vote.example.gov"]);
    assert_eq!((first.channel.as_str(), first.reference.as_deref()), ("Example Group", Some("2")));
    assert_eq!((first.posted, first.edited_unix_s), (PostTime::second(1_667_916_127), Some(1_667_919_600)));
    // Without the second since 1970, the zone of the clock is not known.
    assert_eq!(second.posted.latest_unix_s - second.posted.earliest_unix_s, 26 * 3_600);
    assert_eq!(second.author.as_deref(), Some("Somebody"));
}

#[test]
fn an_account_as_telegram_desktop_exports_it() {
    let contacts = format!("\"contacts\": {{\"list\": [{}\"x\"]}}", "\"a contact\",".repeat(200_000));
    let message = |id: u8| {
        format!("{{\"id\": {id}, \"type\": \"message\", \"date_unixtime\": \"1667916127\", \"text\": \"a\"}}")
    };
    let chat =
        |name: &str, id: u8| format!("{{\"name\": \"{name}\", \"id\": 1, \"messages\": [{}]}}", message(id));
    let export = format!(
        "{{\"about\": \"x\", {contacts}, \"chats\": {{\"about\": \"y\", \"list\": [{}, {}]}}, \"left_chats\": {{\"list\": [{}]}}}}",
        chat("one", 1),
        chat("two", 2),
        chat("three", 3)
    );
    let found = posts(ClaimFormat::Telegram, &export);
    let channels: Vec<_> = found.iter().map(|post| post.channel.as_str()).collect();
    assert_eq!(channels, ["one", "two", "three"]);
}

#[test]
fn a_file_that_is_cut_off_gives_what_stands_before() {
    let (items, _, fault) = all(ClaimFormat::Telegram, &CHAT.as_bytes()[..CHAT.len() - 40]);
    assert_eq!(items.len(), 2);
    let fault = fault.unwrap();
    assert!(fault.starts_with("it is no Telegram export file: EOF while parsing"), "{fault}");
    let (_, _, fault) = all(ClaimFormat::Telegram, b"{\"name\": \"x\"}");
    assert_eq!(fault.as_deref(), Some("it is no Telegram export file: it has no list `messages`"));
}

#[test]
fn no_single_entry_takes_more_than_its_share() {
    let long = "x".repeat(2 * ENTRY_BYTES_MAX);
    for export in [
        format!("{{\"name\": \"a\", \"messages\": [{{\"text\": \"{long}\"}}]}}"),
        format!("{{\"name\": \"{long}\", \"messages\": []}}"),
        format!("{{\"{long}\": 1, \"messages\": []}}"),
        format!("{{\"messages\": [{}]}}", "[".repeat(100_000)),
    ] {
        assert!(all(ClaimFormat::Telegram, export.as_bytes()).2.is_some());
    }
    // What is passed over is not held, however long it is.
    let export =
        format!("{{\"about\": \"{long}\", \"messages\": [{{\"date_unixtime\": 5, \"text\": \"a\"}}]}}");
    assert_eq!(posts(ClaimFormat::Telegram, &export).len(), 1);
}

const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE rss [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Example &amp; Group</title><image><title>not this</title></image>
<item><title>Down &lol2;</title><link>https://example.org/17</link><pubDate>Tue, 08 Nov 2022 14:02:07 +0000</pubDate>
<description><![CDATA[<p>Target:<br/><a href="https://www.sos.example.gov/?a=1&amp;b=2">here</a></p><script>alert("x")</script>]]></description></item>
<item><title>no date</title></item>
<item><guid>urn:9</guid><pubDate>2022-11-08T15:00:00Z</pubDate><content:encoded>&lt;b&gt;vote.example.gov&lt;/b&gt; 5 &lt; 6</content:encoded></item>
</channel></rss>"#;

#[test]
fn a_feed_with_hostile_markup() {
    let found = posts(ClaimFormat::Feed, RSS);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].channel, "Example & Group");
    assert_eq!(found[0].text, "Down\nTarget:\nhere");
    assert_eq!(found[0].links, ["https://www.sos.example.gov/?a=1&b=2"]);
    assert_eq!(found[0].reference.as_deref(), Some("https://example.org/17"));
    assert_eq!(found[0].posted, PostTime::second(1_667_916_127));
    assert_eq!(
        (found[1].text.as_str(), found[1].reference.as_deref()),
        ("vote.example.gov 5 < 6", Some("urn:9"))
    );
}

#[test]
fn atom_says_when_it_was_edited() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><id>urn:1</id>
        <title type="html">It &lt;i&gt;fell&lt;/i&gt;</title><link href="https://example.org/1"/><author><name>A. Writer</name></author>
        <published>2022-11-08T14:00:00Z</published><updated>2022-11-08T14:30:00Z</updated>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">at <b>noon</b></div></content></entry></feed>"#;
    let found = posts(ClaimFormat::Feed, atom);
    assert_eq!((found[0].text.as_str(), found[0].author.as_deref()), ("It fell\nat noon", Some("A. Writer")));
    assert_eq!(
        (found[0].posted, found[0].edited_unix_s),
        (PostTime::second(1_667_916_000), Some(1_667_917_800))
    );
}

#[test]
fn feeds_that_are_none() {
    let check = |text: &str, why: &str| {
        let fault = all(ClaimFormat::Feed, text.as_bytes()).2.unwrap();
        assert!(fault.contains(why), "{fault}");
    };
    check("<html><body>no</body></html>", "it is neither RSS nor Atom");
    check("<rss><channel>", "it ends before its elements do");
    check("<rss><channel></rss>", "at byte 14");
    check(&format!("<rss>{}", "<a>".repeat(1_000)), "elements lie deeper than 32");
}

#[test]
fn encodings() {
    let russian = "<rss><channel><title>Сайт</title></channel></rss>";
    let (windows, _, _) = encoding_rs::WINDOWS_1251.encode(russian);
    let declared = [b"<?xml version='1.0' encoding='windows-1251'?>".as_slice(), &windows].concat();
    assert!(decode(&declared, None).contains("Сайт"));
    assert!(decode(&windows, Some("windows-1251")).contains("Сайт"));
    let utf_16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("Сайт".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(decode(&utf_16, None), "Сайт");
    assert_eq!(decode("\u{FEFF}Сайт".as_bytes(), None), "Сайт");
    assert_eq!(decode(b"caf\xE9s", None), "caf\u{e9}s");
    assert_eq!(decode(b"a\xFF", Some("utf-8")), "a\u{FFFD}");
    assert_eq!(decode(b"a", Some("no such encoding")), "a");
}

#[test]
fn a_table_by_the_names_of_its_columns() {
    let table = "Group;Posted;Target;Effect;Unknown\nExample;2022-11-08T14:02Z;\"www.sos.example.gov, vote.example.gov\";down;x\n;;;;\nOther;;a.example;;\n";
    let (items, counts, fault) = all(ClaimFormat::Csv, table.as_bytes());
    assert_eq!((fault, counts.taken, counts.empty, counts.without_time), (None, 1, 1, 1));
    let Item::Row(row) = &items[0] else { panic!("{items:?}") };
    assert_eq!(
        (row.claimant.as_str(), row.posted.as_str(), row.effect.as_str()),
        ("Example", "2022-11-08T14:02Z", "down")
    );
    assert_eq!(row.targets, ["www.sos.example.gov", "vote.example.gov"]);
    let (_, _, fault) = all(ClaimFormat::Csv, b"a,b\n1,2\n");
    assert!(fault.unwrap().contains("must name the columns"));
}

#[test]
fn lists_of_targets() {
    let json = br#"{"randoms": [{"name": "x"}], "targets": [
        {"target_id": "66ce658aa06283af68958734", "host": "www.sos.example.gov", "ip": "192.0.2.7", "type": "http", "method": "GET", "port": 443, "path": "/?q=$_1"},
        {"target_id": "short", "host": "", "ip": "192.0.2.8", "port": 70000}, {"host": ""}, 5]}"#;
    let (items, counts, fault) = all(ClaimFormat::Targets, json);
    assert_eq!((fault, counts.taken, counts.unreadable), (None, 2, 2));
    let Item::Target(first) = &items[0] else { panic!("{items:?}") };
    assert_eq!(first.since_unix_s, Some(1_724_802_442));
    assert_eq!((first.method.as_str(), first.path.as_str(), first.port), ("GET", "/?q=$_1", 443));
    let Item::Target(second) = &items[1] else { panic!("{items:?}") };
    assert_eq!((second.address.as_str(), second.since_unix_s, second.port), ("192.0.2.8", None, 0));
    let (items, counts, _) =
        all(ClaimFormat::Targets, b"# a list\nwww.sos.example.gov\n\nvote.example.gov\nnot a host\n");
    assert_eq!((items.len(), counts.empty, counts.unreadable), (2, 2, 1));
}

#[test]
fn files_say_what_they_are() {
    let check = |text: &str, format: Option<ClaimFormat>| {
        assert_eq!(ClaimFormat::detect(text.as_bytes()), format, "{text}");
    };
    check(CHAT, Some(ClaimFormat::Telegram));
    check(RSS, Some(ClaimFormat::Feed));
    check("{\"randoms\": [", Some(ClaimFormat::Targets));
    check("posted,targets\n", Some(ClaimFormat::Csv));
    check("# list\na.example.gov\n", Some(ClaimFormat::Targets));
    check("{\"a\": 1}", None);
    check("hello world", None);
    check("", None);
}

#[test]
fn a_mebibyte_of_half_tags_is_read_in_one_go() {
    for part in ["<a \"", "<a '<b \"", "<", "&amp", "<script>", "<!--", "<a href="] {
        let html = part.repeat((1 << 20) / part.len());
        let mut links = Vec::new();
        let text = markup::text_of(&html, &mut links);
        assert!(text.len() <= html.len() + links.len(), "{part}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_in_every_format(bytes: Vec<u8>, beginning in 0..4_usize) {
        let beginnings: [&[u8]; 4] = [b"", b"{\"messages\":[", b"<rss><channel><item>", b"posted,text\n"];
        let bytes = [beginnings[beginning], &bytes].concat();
        let _ = ClaimFormat::detect(&bytes);
        for (format, _) in ClaimFormat::ALL {
            let (items, counts, _) = all(format, &bytes);
            prop_assert_eq!(items.len() as u64, counts.taken);
        }
    }
}
