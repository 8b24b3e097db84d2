use super::*;

/// Names out of these files, without DNS.
fn names(hosts: &str, own: &str, services: &str) -> Result<Names, Error> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let options = Options {
        dns: Dns::Off,
        hosts: write("hosts", hosts),
        services: write("services", services),
        given: Vec::new(),
        own: Some(write("own", own)),
        mmdb: Vec::new(),
    };
    Names::open(&options, || {})
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_operators_own_names_come_first() {
    let names = names("10.0.0.1 system\n10.0.0.2 two\nbroken\n", "10.0.0.1 own", "").unwrap();
    assert_eq!(names.host(address("10.0.0.1")).as_deref(), Some("own"));
    assert_eq!(names.host(address("10.0.0.2")).as_deref(), Some("two"));
    assert_eq!(names.host(address("::ffff:10.0.0.2")).as_deref(), Some("two"), "IPv4 in IPv6 is the same host");
    assert_eq!(names.host(address("10.0.0.3")), None);
}

#[test]
fn a_bad_line_of_the_own_file_is_told() {
    let error = names("", "10.0.0.1 a\nnas 10.0.0.2\n", "").unwrap_err().to_string();
    assert!(error.contains("own` line 2: `nas` is no address\nhint: "), "{error}");
    let missing = Options { own: Some(PathBuf::from("/nonexistent/names")), dns: Dns::Off, ..Default::default() };
    assert!(matches!(Names::open(&missing, || {}), Err(Error::Read { .. })));
}

#[test]
fn services_of_the_system_fill_the_gaps_alone() {
    let names = names("", "", "www 443/tcp\nours 40404/tcp\n").unwrap();
    assert_eq!(names.service(6, 443), Some("https"));
    assert_eq!(names.service(6, 40404), Some("ours"));
    assert_eq!(names.service(17, 40404), None);
    assert_eq!(names.meanings("OURS"), [Meaning::Port { protocol: 6, port: 40404 }]);
    assert_eq!(names.meanings("www"), [], "a name that is not shown means nothing");
}

#[test]
fn a_filter_knows_hosts_by_name() {
    let names = names("10.0.0.1 nas.lan\n10.0.0.2 NAS.lan\n", "", "").unwrap();
    let hosts = ["10.0.0.1", "10.0.0.2"].map(|at| Meaning::Host(address(at)));
    assert_eq!(names.meanings("nas.lan"), hosts);
    let filter = crate::filter::parse("src ip nas.lan", &|word| names.meanings(word)).unwrap();
    assert_eq!(filter.to_string(), "src ip in [10.0.0.1 10.0.0.2]");
}

#[test]
fn names_are_completed() {
    let names = names("10.0.0.1 httpbox\n10.0.0.2 other\n", "", "").unwrap();
    let found = names.beginning("http", 20);
    for name in ["http", "https", "httpbox"] {
        assert!(found.iter().any(|found| found == name), "{name} in {found:?}");
    }
    assert!(!found.iter().any(|found| found == "other"));
    assert_eq!(names.beginning("h", 1).len(), 2, "one service and one host");
}

#[test]
fn without_files_and_dns_what_is_compiled_in_remains() {
    let names = Names::default();
    assert_eq!(names.service(17, 53), Some("dns"));
    assert_eq!(names.host(address("10.0.0.1")), None);
    assert_eq!(names.place(address("10.0.0.1")), Place::default());
    assert!(!names.has_places());
}

#[test]
fn names_of_the_settings_come_first_and_applications_are_what_exporters_say() {
    let given = vec![(address("10.0.0.1"), "ours".into())];
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "10.0.0.1 theirs\n10.0.0.2 other\n").unwrap();
    let names = Names::open(&Options { dns: Dns::Off, hosts, given, ..Options::default() }, || {}).unwrap();
    assert_eq!(names.host(address("10.0.0.1")).as_deref(), Some("ours"));
    assert_eq!(names.host(address("10.0.0.2")).as_deref(), Some("other"));
    assert_eq!(names.meanings("netfleece"), []);
    let mut told = crate::collector::options::names::Names::default();
    told.insert(crate::collector::options::names::NameKind::Application, 7, "Netfleece".to_owned());
    let exporter = ExporterNames {
        address: address("192.0.2.1"),
        domain: crate::flow::ObservationDomainId(0),
        version: crate::flow::Version::V9,
        names: Arc::new(told),
    };
    names.learn(&[exporter]);
    assert_eq!(names.meanings("NetFleece"), [Meaning::Application(7)]);
    assert!(names.beginning("netfl", 9).contains(&"netfleece".to_owned()));
}
