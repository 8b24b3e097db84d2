//! Flows as Parquet: typed columns under the names of the database, for DuckDB, pandas and the like.
//!
//! Columns that most exporters never fill are null where they say nothing. A group of rows is held in memory until it is
//! full; the end of the file is its index, so that a file without [`Columnar::close`] cannot be read.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::flow::{FlowRecord, SamplingSource};
use crate::report::json;

/// Rows of a group.
const ROWS: usize = 65_536;

/// A column: its name, and where its values come from.
struct Column(&'static str, Values);

enum Values {
    /// Milliseconds since 1970.
    Time(fn(&FlowRecord) -> i64),
    /// An unsigned number of so many bits.
    Number(u8, fn(&FlowRecord) -> u32),
    /// The same, null where it is 0.
    Sparse(u8, fn(&FlowRecord) -> u32),
    Count(fn(&FlowRecord) -> u64),
    Text(fn(&FlowRecord) -> Option<String>),
    Flag(fn(&FlowRecord) -> bool),
}

use Values::{Count, Flag, Number, Sparse, Text, Time};

fn address(address: Option<IpAddr>) -> Option<String> {
    address.map(|address| address.to_string())
}

const fn is_sampled(flow: &FlowRecord) -> bool {
    !matches!(flow.sampling.source, SamplingSource::None)
}

const COLUMNS: &[Column] = &[
    Column("received_ms", Time(|flow| flow.received.0)),
    Column("first_ms", Time(|flow| flow.first.0)),
    Column("last_ms", Time(|flow| flow.last.0)),
    Column("time_source", Text(|flow| Some(json::time_source(flow.time_source).to_owned()))),
    Column("exporter", Text(|flow| address(Some(flow.exporter)))),
    Column("domain", Number(32, |flow| flow.domain.0)),
    Column("version", Number(16, |flow| flow.version.number().into())),
    Column("src_ip", Text(|flow| address(Some(flow.key.src_ip)))),
    Column("dst_ip", Text(|flow| address(Some(flow.key.dst_ip)))),
    Column("src_port", Number(16, |flow| flow.key.src_port.into())),
    Column("dst_port", Number(16, |flow| flow.key.dst_port.into())),
    Column("protocol", Number(8, |flow| flow.key.protocol.into())),
    Column("tcp_flags", Number(16, |flow| flow.tcp_flags.into())),
    Column("tos", Number(8, |flow| flow.tos.into())),
    Column("bytes", Count(|flow| flow.counts.bytes)),
    Column("packets", Count(|flow| flow.counts.packets)),
    Column("in_if", Number(32, |flow| flow.in_if)),
    Column("out_if", Number(32, |flow| flow.out_if)),
    Column("sampling", Sparse(32, |flow| flow.sampling.rate)),
    Column("sampling_kind", Text(|flow| is_sampled(flow).then(|| json::sampling_kind(flow.sampling.kind).to_owned()))),
    Column(
        "sampling_source",
        Text(|flow| is_sampled(flow).then(|| json::sampling_source(flow.sampling.source).to_owned())),
    ),
    Column("icmp", Sparse(16, |flow| flow.icmp.into())),
    Column("direction", Text(|flow| json::direction(flow.direction).map(str::to_owned))),
    Column("src_as", Sparse(32, |flow| flow.src_as)),
    Column("dst_as", Sparse(32, |flow| flow.dst_as)),
    Column("src_mask", Sparse(8, |flow| flow.src_mask.into())),
    Column("dst_mask", Sparse(8, |flow| flow.dst_mask.into())),
    Column("next_hop", Text(|flow| address(flow.next_hop))),
    Column("vlan", Sparse(16, |flow| flow.vlan.into())),
    Column("post_vlan", Sparse(16, |flow| flow.post_vlan.into())),
    Column("src_mac", Text(|flow| json::mac(flow.src_mac))),
    Column("dst_mac", Text(|flow| json::mac(flow.dst_mac))),
    Column("nat_src_ip", Text(|flow| address(flow.nat_src_ip))),
    Column("nat_dst_ip", Text(|flow| address(flow.nat_dst_ip))),
    Column("nat_src_port", Sparse(16, |flow| flow.nat_src_port.into())),
    Column("nat_dst_port", Sparse(16, |flow| flow.nat_dst_port.into())),
    Column("event", Sparse(8, |flow| flow.event.into())),
    Column("end_reason", Sparse(8, |flow| flow.end_reason.into())),
    Column("forwarding", Sparse(8, |flow| flow.forwarding.into())),
    Column("mpls", Sparse(32, |flow| flow.mpls)),
    Column("application", Count(|flow| flow.application)),
    Column("vrf", Sparse(32, |flow| flow.vrf)),
    Column("reverse", Flag(|flow| flow.reverse)),
];

impl Column {
    /// Its line in the schema.
    fn line(&self) -> String {
        let name = self.0;
        match self.1 {
            Time(_) => format!("REQUIRED INT64 {name} (TIMESTAMP(MILLIS,true));"),
            Number(bits, _) => format!("REQUIRED INT32 {name} (INTEGER({bits},false));"),
            Sparse(bits, _) => format!("OPTIONAL INT32 {name} (INTEGER({bits},false));"),
            Count(_) => format!("REQUIRED INT64 {name} (INTEGER(64,false));"),
            Text(_) => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Flag(_) => format!("REQUIRED BOOLEAN {name};"),
        }
    }

    fn write(&self, writer: &mut ColumnWriter<'_>, flows: &[FlowRecord]) -> Result<()> {
        match (&self.1, writer) {
            (Time(get), ColumnWriter::Int64ColumnWriter(writer)) => {
                let values: Vec<i64> = flows.iter().map(get).collect();
                writer.write_batch(&values, None, None)?;
            }
            (Count(get), ColumnWriter::Int64ColumnWriter(writer)) => {
                let values: Vec<i64> = flows.iter().map(|flow| get(flow).cast_signed()).collect();
                writer.write_batch(&values, None, None)?;
            }
            (Number(_, get), ColumnWriter::Int32ColumnWriter(writer)) => {
                let values: Vec<i32> = flows.iter().map(|flow| get(flow).cast_signed()).collect();
                writer.write_batch(&values, None, None)?;
            }
            (Sparse(_, get), ColumnWriter::Int32ColumnWriter(writer)) => {
                let present: Vec<i16> = flows.iter().map(|flow| (get(flow) != 0).into()).collect();
                let values: Vec<i32> = flows.iter().map(get).filter(|n| *n != 0).map(u32::cast_signed).collect();
                writer.write_batch(&values, Some(&present), None)?;
            }
            (Text(get), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let texts: Vec<Option<String>> = flows.iter().map(get).collect();
                let present: Vec<i16> = texts.iter().map(|text| text.is_some().into()).collect();
                let values: Vec<ByteArray> =
                    texts.into_iter().flatten().map(|text| ByteArray::from(text.into_bytes())).collect();
                writer.write_batch(&values, Some(&present), None)?;
            }
            (Flag(get), ColumnWriter::BoolColumnWriter(writer)) => {
                let values: Vec<bool> = flows.iter().map(get).collect();
                writer.write_batch(&values, None, None)?;
            }
            // The schema is made of the same table.
            _ => {}
        }
        Ok(())
    }
}

/// A Parquet file on its way.
pub struct Columnar<W: Write + Send> {
    file: SerializedFileWriter<W>,
    flows: Vec<FlowRecord>,
}

impl<W: Write + Send> Columnar<W> {
    /// # Errors
    /// When `out` fails.
    pub fn new(out: W) -> Result<Self> {
        let lines: Vec<String> = COLUMNS.iter().map(Column::line).collect();
        let schema = parse_message_type(&format!("message flow {{ {} }}", lines.join(" ")))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("flowglass ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { file, flows: Vec::new() })
    }

    /// # Errors
    /// When what is written to fails.
    pub fn push(&mut self, flow: &FlowRecord) -> Result<()> {
        self.flows.push(*flow);
        if self.flows.len() < ROWS { Ok(()) } else { self.group() }
    }

    /// Writes what is held and the index.
    ///
    /// # Errors
    /// When what is written to fails.
    pub fn close(mut self) -> Result<()> {
        if !self.flows.is_empty() {
            self.group()?;
        }
        self.file.close().map(drop)
    }

    fn group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for column in COLUMNS {
            let Some(mut writer) = group.next_column()? else { break };
            column.write(writer.untyped(), &self.flows)?;
            writer.close()?;
        }
        group.close()?;
        self.flows.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;
    use crate::flow::{Counts, ObservationDomainId, Timestamp, Version};

    #[test]
    fn the_columns_are_those_of_json() {
        let names: Vec<_> = COLUMNS.iter().map(|column| column.0).collect();
        assert_eq!(names, json::COLUMNS);
    }

    #[test]
    fn what_is_written_is_read_back_over_several_groups() {
        let mut flow = FlowRecord::blank(
            Timestamp(1_700_000_000_000),
            IpAddr::from([192, 0, 2, 1]),
            ObservationDomainId(7),
            Version::V9,
        );
        flow.key.src_ip = "2001:db8::1".parse().unwrap();
        flow.counts = Counts { bytes: u64::MAX, packets: 3 };
        let mut octets = Vec::new();
        let mut parquet = Columnar::new(&mut octets).unwrap();
        for port in 0..ROWS + 5 {
            flow.key.src_port = u16::try_from(port % 60_000).unwrap();
            flow.src_as = u32::MAX * u32::from(port % 2 == 1);
            parquet.push(&flow).unwrap();
        }
        parquet.close().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(octets)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), ROWS + 5);
        let at = |name| names_at(name);
        assert_eq!(rows[1].get_ulong(at("bytes")).unwrap(), u64::MAX);
        assert_eq!(rows[1].get_string(at("src_ip")).unwrap(), "2001:db8::1");
        assert_eq!(rows[1].get_uint(at("src_as")).unwrap(), u32::MAX);
        assert!(rows[2].get_uint(at("src_as")).is_err(), "null");
        assert_eq!(rows[59_999].get_ushort(at("src_port")).unwrap(), 59_999);
        assert_eq!(rows[1].get_timestamp_millis(at("received_ms")).unwrap(), 1_700_000_000_000);
    }

    fn names_at(name: &str) -> usize {
        COLUMNS.iter().position(|column| column.0 == name).unwrap()
    }
}
