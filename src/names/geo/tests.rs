use std::fs;

use super::*;

/// A value of the MMDB data section.
enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Short(u16),
    Long(u64),
    Map(&'a [(&'a str, Self)]),
}

impl Value<'_> {
    /// As the format has it: a type of three bits and a size of five, strings 2, uint16 5, uint32 6, map 7, and for
    /// uint64 a type of 0 and the rest of it in the next octet.
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                assert!(text.len() < 29 + 256);
                match u8::try_from(text.len()).unwrap() {
                    short @ ..29 => out.push(2 << 5 | short),
                    long => out.extend([2 << 5 | 29, long - 29]),
                }
                out.extend(text.as_bytes());
            }
            Self::Number(number) => {
                out.push(6 << 5 | 4);
                out.extend(number.to_be_bytes());
            }
            Self::Short(number) => {
                out.push(5 << 5 | 2);
                out.extend(number.to_be_bytes());
            }
            Self::Long(number) => {
                out.extend([8, 2]);
                out.extend(number.to_be_bytes());
            }
            Self::Map(pairs) => {
                out.push(7 << 5 | u8::try_from(pairs.len()).unwrap());
                for (key, value) in *pairs {
                    Value::Text(key).encode(out);
                    value.encode(out);
                }
            }
        }
    }
}

/// An MMDB file that says `value` of all IPv4 addresses whose first bit is set, and nothing of others.
fn file(kind: &str, value: &Value<'_>) -> Vec<u8> {
    // One node of two records of 32 bits: left to "nothing here" (the number of nodes), right to the first octet of data.
    let mut out = Vec::new();
    out.extend(1_u32.to_be_bytes());
    out.extend((1_u32 + 16).to_be_bytes());
    out.extend([0; 16]);
    value.encode(&mut out);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(&[
        ("node_count", Value::Number(1)),
        ("record_size", Value::Short(32)),
        ("ip_version", Value::Short(4)),
        ("database_type", Value::Text(kind)),
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("description", Value::Map(&[])),
    ]);
    metadata.encode(&mut out);
    // `languages`, an empty array, is a type of the extended kind; the map has one pair more.
    let at = out.len() - encoded(&metadata).len();
    out[at] += 1;
    Value::Text("languages").encode(&mut out);
    out.extend([0, 4]);
    out
}

fn encoded(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

fn geo(files: &[Vec<u8>]) -> Geo {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..files.len()).map(|n| folder.path().join(format!("{n}.mmdb"))).collect();
    for (path, octets) in paths.iter().zip(files) {
        fs::write(path, octets).unwrap();
    }
    Geo::open(&paths).unwrap()
}

fn maxmind_asn() -> Vec<u8> {
    let value = Value::Map(&[
        ("autonomous_system_number", Value::Number(64_512)),
        ("autonomous_system_organization", Value::Text("Example\u{1b}[31m Networks")),
    ]);
    file("GeoLite2-ASN", &value)
}

fn maxmind_country() -> Vec<u8> {
    let country = [("iso_code", Value::Text("DE")), ("geoname_id", Value::Number(1))];
    file("GeoLite2-Country", &Value::Map(&[("country", Value::Map(&country))]))
}

#[test]
fn files_of_two_kinds_are_put_together() {
    let geo = geo(&[maxmind_asn(), maxmind_country()]);
    let place = geo.place("203.0.113.9".parse().unwrap());
    assert_eq!(place.asn, Some(64_512));
    assert_eq!(place.organisation.as_deref(), Some("Example?[31m_Networks"));
    assert_eq!(place.country.as_deref(), Some("DE"));
    assert_eq!(geo.place("10.0.0.1".parse().unwrap()), Place::default());
    assert_eq!(geo.place("2001:db8::1".parse().unwrap()), Place::default(), "the files have no IPv6");
}

#[test]
fn other_vendors_say_the_same_in_other_words() {
    let flat = Value::Map(&[
        ("asn", Value::Text("AS64496")),
        ("as_name", Value::Text("Example")),
        ("country", Value::Text("Germany")),
        ("country_code", Value::Text("DE")),
    ]);
    let place = geo(&[file("ipinfo", &flat)]).place("203.0.113.9".parse().unwrap());
    assert_eq!((place.asn, place.organisation.as_deref()), (Some(64_496), Some("Example")));
    assert_eq!(place.country.as_deref(), Some("DE"));
    let code = Value::Map(&[("country", Value::Text("FR"))]);
    assert_eq!(geo(&[file("country", &code)]).place("203.0.113.9".parse().unwrap()).country.as_deref(), Some("FR"));
}

#[test]
fn a_file_that_is_none_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.mmdb");
    fs::write(&path, "no such thing").unwrap();
    let error = Geo::open(std::slice::from_ref(&path)).unwrap_err().to_string();
    assert!(error.contains("x.mmdb"), "{error}");
    let error = Geo::open(&[folder.path().join("missing.mmdb")]).unwrap_err().to_string();
    assert!(error.contains("missing.mmdb"), "{error}");
}

/// Every truncation and every flipped octet gives an error or some answer, and no panic.
#[test]
fn a_damaged_file_harms_nobody() {
    let whole = maxmind_country();
    for at in 0..whole.len() {
        for damaged in [whole[..at].to_vec(), {
            let mut octets = whole.clone();
            octets[at] ^= 0xff;
            octets
        }] {
            if let Ok(reader) = Reader::from_source(damaged) {
                Geo { files: vec![reader] }.place("203.0.113.9".parse().unwrap());
            }
        }
    }
}
