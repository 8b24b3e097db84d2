use clap::CommandFactory;

use super::*;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn intervals_and_booleans_are_read_as_people_write_them() {
    assert_eq!(parse_interval("10s"), Ok(Duration::from_secs(10)));
    assert_eq!(parse_interval("1m 30s"), Ok(Duration::from_secs(90)));
    assert!(parse_interval("0s").is_err());
    assert!(parse_interval("soon").is_err());
    assert_eq!(parse_bool("OFF"), Ok(false));
    assert!(parse_bool("maybe").is_err());
}

#[test]
fn a_subcommand_takes_the_common_flags_too() {
    let cli = Cli::parse_from(["flowglass", "replay", "a.pcap", "--speed", "10", "--no-ui"]);
    assert!(cli.show.no_ui);
    assert!(matches!(cli.command, Some(Command::Replay(ReplayArgs { speed: Speed::Ten, .. }))));
}

#[test]
fn sampling_rates_are_given_by_prefix() {
    let arguments = "flowglass replay a.pcap --no-ui --sampling 1000 --sampling 192.0.2.0/24=512,2001:db8::1=64";
    let config = Cli::parse_from(arguments.split(' ')).config().unwrap();
    let rate = |exporter: &str| config.overrides.sampling(exporter.parse().unwrap()).map(|sampling| sampling.rate);
    assert_eq!([rate("192.0.2.7"), rate("10.0.0.1")], [Some(512), Some(1000)]);
    assert_eq!([rate("2001:db8::1"), rate("2001:db8::2")], [Some(64), Some(1000)]);
    let config = Cli::parse_from(["flowglass", "--no-db"]).config().unwrap();
    assert_eq!(config.overrides, Overrides::default());
}

#[test]
fn a_wrong_sampling_rate_is_told_with_what_to_write() {
    let told = |text| parse_rate(text).unwrap_err();
    assert!(told("many").starts_with("`many` is not a number\nhint: give a rate as `1000`"), "{}", told("many"));
    assert!(told("0").starts_with("0 is not between 1 and 16777215\n"));
    assert!(told("10.0.0.0/8=16777216").starts_with("16777216 is not between"));
    assert!(told("10.0.0.0/33=5").starts_with("`10.0.0.0/33` is neither an address nor a prefix\n"));
    assert!(told("=5").starts_with("`` is neither"));
}

#[test]
fn what_is_kept_is_read_as_people_write_it() {
    assert_eq!(amounts::age("7d"), Ok(Age::Of(Duration::from_secs(7 * 86_400))));
    assert_eq!(amounts::age("Forever"), Ok(Age::Forever));
    for nothing in ["0", "off"] {
        assert!(amounts::age(nothing).unwrap_err().contains("`forever`"), "{nothing}");
    }
    assert!(amounts::age("10s").is_err());
    assert!(amounts::age("a week").is_err());
    assert_eq!(amounts::size("50%"), Ok(Size::Percent(50)));
    assert_eq!(amounts::size("20 GB"), Ok(Size::Octets(20_000_000_000)));
    assert_eq!(amounts::size("1.5GiB"), Ok(Size::Octets(3 << 29)));
    assert_eq!(amounts::size("512m"), Ok(Size::Octets(512_000_000)));
    assert_eq!(amounts::size("unlimited"), Ok(Size::Unlimited));
    for wrong in ["0%", "96%", "20", "1GB2", "GB", ".GB", "-1GB", "1MB", "99999999999999TB", "1.0000000001GB"] {
        assert!(amounts::size(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_capture_is_stored_to_be_kept() {
    let config = |line: &str| Cli::parse_from(line.split(' ')).config().unwrap();
    let kept = config("flowglass --db x --retention 1h --max-size unlimited").retention;
    assert_eq!(kept, Retention { age: Age::Of(Duration::from_secs(3_600)), size: Size::Unlimited });
    assert_eq!(config("flowglass replay a.pcap --no-ui").retention, Retention::default());
}
