//! What is typed of questions about the past: filter, span, form.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::report::answers::{Format, Units};
use crate::store::ask::By;
use crate::store::top::Order;

/// Said below the help of every command with a span.
macro_rules! spans {
    () => {
        "\n\nA span is by the time of the flows: --last 15m, --from 03:10 --to 03:20, --from 'yesterday 22:00',\n\
        --from -2h, --from monday --to +1d, --from '2026-11-27 03:10', RFC 3339, or Unix milliseconds; in this host's\n\
        time zone. A time of day alone is the last one before now. The filter language is in docs/filters.md."
    };
}

pub(super) const TOP_HELP: &str = concat!(
    "Examples:\n  \
    flowglass top                                     conversations of the last hour\n  \
    flowglass top --last 24h --by source -n 50\n  \
    flowglass top ip 192.0.2.7 --from 03:10 --to 03:20\n  \
    flowglass top 'service https and not net 10/8' --by destination --format csv\n\n\
    Sums by minute and hour answer where they know the keys, rows where they do not; stderr, and `source` in JSON,\n\
    say which. A figure that may lack something is marked ≥, an estimate of sampled traffic ~.",
    spans!()
);
pub(super) const FLOWS_HELP: &str = concat!(
    "Examples:\n  \
    flowglass flows ip 192.0.2.7 --last 24h\n  \
    flowglass flows 'flags S and not flags A' --last 15m -n 100 --format json | jq .",
    spans!()
);
pub(super) const RATES_HELP: &str = concat!(
    "Examples:\n  \
    flowglass rates --last 24h --step 1h\n  \
    flowglass rates ip 192.0.2.7 --from 03:00 --to 03:30 --step 10s --format csv",
    spans!()
);
pub(super) const CHANGES_HELP: &str = concat!(
    "Examples:\n  \
    flowglass changes                                 this hour against the one before\n  \
    flowglass changes --from 03:00 --to 03:20 --against yesterday --by source\n  \
    flowglass changes service https --against usual\n\n\
    `usual` is the median of the same time of day over the last seven days. A part is of the difference in total,\n\
    and is negative for what moved the other way.",
    spans!()
);
pub(super) const ASK_HELP: &str = concat!(
    "Examples:\n  \
    flowglass ask                                     the names\n  \
    flowglass ask dns-clients --last 24h\n  \
    flowglass ask uploads src ip 192.168.1.20         with a filter of one's own on top",
    spans!()
);
pub(super) const EXPORT_HELP: &str = concat!(
    "Examples:\n  \
    flowglass export --last 24h --form parquet -o flows.parquet\n  \
    flowglass export dst port 25 --from yesterday --to today | gzip > mail.jsonl.gz\n  \
    flowglass export --from 03:00 --to 03:30 --bundle incident    a report in Markdown, rankings and flows as CSV",
    spans!()
);
pub(super) const NOTE_HELP: &str = concat!(
    "Examples:\n  \
    flowglass note 'uplink moved to port 7'\n  \
    flowglass note --at 03:10 'the line was full'\n  \
    flowglass note --last 7d",
    spans!()
);

#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// Which flows, in nfdump's language; several words are one filter
    #[arg(value_name = "FILTER", num_args = 0..)]
    pub filter: Vec<String>,
    #[command(flatten)]
    pub span: SpanArgs,
}

#[derive(Debug, Clone, Args)]
pub struct SpanArgs {
    /// How long until now, or until --to [default: 1h]
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub last: Option<String>,
    /// When the span begins
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// When it ends [default: now]
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct FormArgs {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = FormatArg::Table, value_name = "FORM")]
    pub format: FormatArg,
    /// What rates are measured in; packets rank by packets, too
    #[arg(long, value_enum, default_value_t = UnitsArg::Bits)]
    pub units: UnitsArg,
    /// Show counts as the exporters reported them, sampling not applied
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ExactArgs {
    /// Read every row where sums by minute and hour are not proven to be exact
    #[arg(long)]
    pub exact: bool,
    /// Read rows in any case
    #[arg(long, hide = true)]
    pub rows_only: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct RankArgs {
    /// What is ranked
    #[arg(long, value_enum, default_value_t = ByArg::Conversation)]
    pub by: ByArg,
    /// By what it is ranked [default: bytes]
    #[arg(long, value_enum)]
    pub sort: Option<SortArg>,
}

#[derive(Debug, Clone, Args)]
pub struct TopArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub rank: RankArgs,
    #[command(flatten)]
    pub exact: ExactArgs,
    #[command(flatten)]
    pub form: FormArgs,
}

#[derive(Debug, Clone, Args)]
pub struct FlowsArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub form: FormArgs,
}

#[derive(Debug, Clone, Args)]
pub struct RatesArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How long a step is [default: a sixtieth of the span or so]
    #[arg(long, value_name = "TIME")]
    pub step: Option<String>,
    #[command(flatten)]
    pub exact: ExactArgs,
    #[command(flatten)]
    pub form: FormArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ChangesArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub rank: RankArgs,
    /// With what the span is compared
    #[arg(long, value_enum, default_value_t = Against::Previous)]
    pub against: Against,
    #[command(flatten)]
    pub exact: ExactArgs,
    #[command(flatten)]
    pub form: FormArgs,
}

#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The name of the question
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub exact: ExactArgs,
    #[command(flatten)]
    pub form: FormArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ExportersArgs {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = FormatArg::Table, value_name = "FORM")]
    pub format: FormatArg,
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The form of the records
    #[arg(long = "form", alias = "format", value_enum, default_value_t = ExportForm::Jsonl)]
    pub form: ExportForm,
    /// Where they go [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write a report of the span into this new folder: Markdown, rankings, series, notes and flows as CSV
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["output", "form"])]
    pub bundle: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct NoteArgs {
    /// What to note; several words are one note
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// The moment that it is about [default: now]
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub at: Option<String>,
    #[command(flatten)]
    pub span: SpanArgs,
    /// The form of the list
    #[arg(long, value_enum, default_value_t = FormatArg::Table, value_name = "FORM")]
    pub format: FormatArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Aligned for people, three significant digits
    Table,
    /// Exact figures
    Json,
    /// Exact figures
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnitsArg {
    Bits,
    Bytes,
    Packets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    Bytes,
    Packets,
    Flows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// One JSON object per line
    Jsonl,
    Csv,
    /// Typed columns, for DuckDB, pandas and the like
    Parquet,
}

/// With what a span is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The span of the same length right before
    Previous,
    /// The same time yesterday
    Yesterday,
    /// The same time a week ago
    LastWeek,
    /// The median of the same time over seven days
    Usual,
}

/// [`By`] as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByArg(pub By);

#[expect(non_upper_case_globals, reason = "it stands where a variant would")]
impl ByArg {
    pub const Conversation: Self = Self(By::Conversation);
}

impl ValueEnum for ByArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [ByArg; By::ALL.len()] = {
            let mut all = [ByArg(By::Conversation); By::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = ByArg(By::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

impl FormatArg {
    pub const fn format(self) -> Format {
        match self {
            Self::Table => Format::Table,
            Self::Json => Format::Json,
            Self::Csv => Format::Csv,
        }
    }
}

impl UnitsArg {
    pub const fn units(self) -> Units {
        match self {
            Self::Bits => Units::Bits,
            Self::Bytes => Units::Bytes,
            Self::Packets => Units::Packets,
        }
    }
}

/// The measure of a ranking: what was asked for, else what rates are measured in.
pub fn order(sort: Option<SortArg>, units: UnitsArg) -> Order {
    match (sort, units) {
        (Some(SortArg::Flows), _) => Order::Flows,
        (Some(SortArg::Packets), _) | (None, UnitsArg::Packets) => Order::Packets,
        _ => Order::Bytes,
    }
}
