//! What a bundle says of itself, and the script in it that walks from a record to the signed root.

/// The README of a bundle.
pub(super) fn readme(origin: &str, key: &str, records: usize, log_size: u64, made: &str) -> String {
    format!(
        "\
# Evidence of {origin}

{records} records of a log that had {log_size} when this bundle was made ({made}).
Format: floodwall-bundle/1, records floodwall-evidence/1. Made with Floodwall {version}.

## What it shows, and what it does not

Each record in `records/` was in the log when its checkpoint was signed, and was not changed since.
It does not show that the sensor saw the truth, nor that whoever holds the key kept only one log.
Against a second log help checkpoints that others hold: compare `checkpoint` with theirs.

Everything rests on the log's verifier key. The one in this bundle is

    {key}

Compare it with the key the office has published elsewhere before you rely on anything here.

## Files

- `MANIFEST`: SHA-256 of every other file, signed with the log's key
- `checkpoint`: the log's size and root, signed (C2SP tlog-checkpoint)
- `records/N.json`: records; `proofs/N.tlog-proof`: that record N is in the log (C2SP tlog-proof)
- `disclosures/N-FIELD.json`: values that record N commits to by salted hash, where they are disclosed
- `custody.txt`: who made this bundle, when and what for; whoever passes it on keeps their own list
- `settings.toml`: the settings, where they were named
- `verify-record.sh`: the walk from a record to the signed root, with openssl alone

## Verify with Floodwall

    floodwall evidence verify BUNDLE.tar --key 'THE PUBLISHED KEY'

## Verify without Floodwall

With sha256sum, openssl 3 and a POSIX shell, in the folder the bundle was unpacked to:

    # The key as openssl takes it: 12 bytes in front of the key's 32 make it DER (RFC 8410).
    (printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; cut -d+ -f3- log.vkey | base64 -d | tail -c 32) > key.der

    # 1. The files are those of the manifest.
    sed '/^$/,$d' MANIFEST > manifest.txt
    sha256sum --strict --check manifest.txt

    # 2. The manifest is signed with the key.
    grep '^\u{2014} ' MANIFEST | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > manifest.sig
    openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in manifest.txt -sigfile manifest.sig

    # 3. So is the checkpoint.
    head -n 3 checkpoint > checkpoint.txt
    grep '^\u{2014} ' checkpoint | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > checkpoint.sig
    openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in checkpoint.txt -sigfile checkpoint.sig

    # 4. Each record is in the log that the checkpoint signs.
    for record in records/*.json; do sh verify-record.sh \"$(basename \"$record\" .json)\"; done

With an implementation of the log's format by others, aics-tlog of PyPI (Python 3.12 or newer), for
record 12:

    pip install aics-tlog
    aics-tlog verify-checkpoint --note checkpoint --vkey-file log.vkey
    sed '1,/^$/d' proofs/000000012.tlog-proof > 12.checkpoint
    sed -n '3,/^$/p' proofs/000000012.tlog-proof | sed '$d' > 12.proof
    aics-tlog verify-inclusion --index 12 --leaf records/000000012.json --proof 12.proof \\
        --checkpoint 12.checkpoint --vkey-file log.vkey
",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// Walks from one record to the signed root (RFC 9162 section 2.1.3.2).
pub(super) const VERIFY_RECORD: &str = r#"#!/bin/sh
# sh verify-record.sh 000000012: is the record in the log of the checkpoint? With openssl alone.
# Whether the checkpoint is signed, README.md says how to find out.
set -eu
proof=proofs/$1.tlog-proof
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
index=$(sed -n '2s/^index //p' "$proof")
sed '1,/^$/d' "$proof" > "$work/checkpoint"
head -n 3 "$work/checkpoint" > "$work/head"
head -n 3 checkpoint | cmp -s - "$work/head" || { echo "record $1: its proof is for another checkpoint"; exit 1; }
size=$(sed -n 2p checkpoint)
root=$(sed -n 3p checkpoint)
{ printf '\000'; cat "records/$1.json"; } | openssl dgst -sha256 -binary > "$work/hash"
node=$index
last=$((size - 1))
for step in $(sed -n '3,/^$/p' "$proof"); do
    [ "$last" -gt 0 ] || { echo "record $1: the proof is too long"; exit 1; }
    printf %s "$step" | base64 -d > "$work/step"
    if [ $((node % 2)) -eq 1 ] || [ "$node" -eq "$last" ]; then
        { printf '\001'; cat "$work/step" "$work/hash"; } | openssl dgst -sha256 -binary > "$work/next"
        while [ $((node % 2)) -eq 0 ] && [ "$node" -ne 0 ]; do
            node=$((node / 2))
            last=$((last / 2))
        done
    else
        { printf '\001'; cat "$work/hash" "$work/step"; } | openssl dgst -sha256 -binary > "$work/next"
    fi
    mv "$work/next" "$work/hash"
    node=$((node / 2))
    last=$((last / 2))
done
if [ "$last" -eq 0 ] && [ "$(base64 < "$work/hash")" = "$root" ]; then
    echo "record $1 is in the log of $size, at place $index"
else
    echo "record $1 IS NOT in the log at place $index"
    exit 1
fi
"#;
