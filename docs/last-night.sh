#!/bin/sh
# What filled the line last night? Finds the busiest minute of a span, the host behind it, what that host talks to, what
# moved against the same time a day before, and a filter to look further with.
#
#   docs/last-night.sh                               from ten in the evening to six in the morning
#   docs/last-night.sh 'monday 09:00' 'monday 17:00'
#   FLOWGLASS_DB=/srv/flows.db docs/last-night.sh    of another database
set -eu
from=${1:-yesterday 22:00}
to=${2:-06:00}

# CSV has exact figures: from_ms, to_ms, bytes, …
peak=$(flowglass rates --from "$from" --to "$to" --step 1m --format csv | tail -n +2 | sort -t, -k3,3nr | head -n 1)
begin=${peak%%,*}
[ -n "$begin" ] || { echo "nothing passed from $from to $to" >&2; exit 1; }
end=$((begin + 300000))
echo "busiest minute: $(date -d "@$((begin / 1000))" '+%Y-%m-%d %H:%M' 2>/dev/null || echo "$begin")"

host=$(flowglass top --by source --from "$begin" --to "$end" -n 1 --format csv | sed -n 2p | cut -d, -f1)
echo "busiest host: $host"
echo
flowglass top "ip $host" --by conversation --from "$begin" --to "$end" -n 5
echo
flowglass changes --by host --against yesterday --from "$begin" --to "$end" -n 5
echo
echo "tcpdump filter: host $host"
echo "flows: flowglass flows 'ip $host' --from $begin --to $end"
