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
