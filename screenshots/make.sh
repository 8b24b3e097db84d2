#!/usr/bin/env bash
# Makes the pictures in this folder from the real program, in a real terminal on a screen that nobody sees.
# Needs Xvfb, kitty, xdotool, ImageMagick and JetBrains Mono; on Debian:
#   apt-get install --no-install-recommends xvfb kitty xdotool imagemagick fonts-jetbrains-mono
# Usage: screenshots/make.sh [NAME…]    all pictures, or the named ones: main small tiny help waiting mono host exporters past
# flows tour; `tour` is an animation. PROGRAM=PATH takes a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in Xvfb kitty xdotool import convert; do
    command -v "$tool" >/dev/null || { echo "screenshots: \`$tool\` is missing, see the head of $0" >&2; exit 2; }
done
program=${PROGRAM:-}
if [ -z "$program" ]; then
    cargo build --release --locked
    program=$(realpath "${CARGO_TARGET_DIR:-target}")/release/flowglass
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What must not come from this host: names, paths, languages, time zone.
export HOME=$scratch XDG_CONFIG_HOME=$scratch XDG_CACHE_HOME=$scratch XDG_RUNTIME_DIR=$scratch
export TMPDIR=$scratch LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=UTC LIBGL_ALWAYS_SOFTWARE=1
unset WAYLAND_DISPLAY NO_COLOR NETFLOW_ENABLED NETFLOW_HOST NETFLOW_PORT FLOWGLASS_DB FLOWGLASS_LOG

cat >"$scratch/kitty.conf" <<'CONF'
font_family JetBrains Mono
font_size 12
disable_ligatures always
background #16181d
foreground #c8ccd4
window_padding_width 10
cursor_blink_interval 0
remember_window_size no
confirm_os_window_close 0
update_check_interval 0
hide_window_decorations yes
enable_audio_bell no
CONF

# shot NAME COLUMNS ROWS SECONDS KEYS COMMAND…: the screen after so many seconds, and keys with a comma between them (`-`
# for none). Of a name that ends in `.gif`, a picture after each key.
# Runs in a subshell, which ends what it started.
shot() (
    name=$1 columns=$2 rows=$3 seconds=$4 keys=$5
    shift 5
    running=()
    trap 'kill "${running[@]}" 2>/dev/null; wait' EXIT
    # Each picture has a display of its own, since windows without a manager lie on top of each other.
    mkfifo "$scratch/$name.display"
    Xvfb -screen 0 1800x1200x24 -nolisten tcp -displayfd 3 3>"$scratch/$name.display" >/dev/null 2>&1 &
    running=($!)
    read -r display <"$scratch/$name.display"
    export DISPLAY=:$display
    kitty --config "$scratch/kitty.conf" -o linux_display_server=x11 -o initial_window_width="${columns}c" \
        -o initial_window_height="${rows}c" --class flowglass "$@" >"$scratch/$name.log" 2>&1 &
    running=($! "${running[@]}") # The terminal before its display.
    sleep "$seconds"
    window=$(xdotool search --onlyvisible --class flowglass | tail -n 1) || { cat "$scratch/$name.log" >&2; return 1; }
    xdotool windowfocus "$window"
    take() { import -window "$window" -strip "$scratch/$name.$1.png"; }
    take 00
    frame=0
    if [ "$keys" != - ]; then
        for key in ${keys//,/ }; do
            xdotool key --window 0 "$key"
            sleep 1.5
            frame=$((frame + 1))
            take "$(printf %02d "$frame")"
        done
    fi
    if [ "${name%.gif}" != "$name" ]; then
        file=screenshots/$name
        convert -delay 160 -loop 0 "$scratch/$name".??.png +dither -colors 32 -layers Optimize "$file"
    else
        file=screenshots/$name.png
        convert "$scratch/$name.$(printf %02d "$frame").png" +dither -colors 64 -define png:compression-level=9 "$file"
    fi
    echo "$file: $(stat -c %s "$file") bytes"
)

picture() {
    case $1 in
    main) shot main 120 40 100 j,j "$program" demo ;;
    small) shot small 80 24 100 - "$program" demo ;;
    tiny) shot tiny 40 10 100 - "$program" demo ;;
    host) shot host 120 40 100 3,j,e "$program" demo ;;
    exporters) shot exporters 120 40 100 5,j "$program" demo ;;
    flows) shot flows 120 40 60 6,j "$program" demo ;;
    tour) shot tour.gif 100 30 100 s,s,j,Return,j,Return,Escape,Escape,y,t,Escape,Escape,5 "$program" demo ;;
    help) shot help 120 40 20 question "$program" demo ;;
    waiting) shot waiting 120 40 9 - "$program" --host 127.0.0.1 --port 0 --no-db ;;
    download)
        screenshots/download.py 60 >"$scratch/download.pcap"
        # Once it is stored, the time of arrival shows the past as well.
        shot flow 120 24 14 - "$program" replay "$scratch/download.pcap"
        shot arrival 120 24 14 a,j "$program" replay "$scratch/download.pcap"
        convert screenshots/{flow,arrival}.png -gravity north -crop 100%x60%+0+0 +repage -append screenshots/download.png
        rm screenshots/{flow,arrival}.png
        ;;
    mono) shot mono 120 40 100 - env NO_COLOR=1 "$program" demo ;;
    past)
        screenshots/night.py >"$scratch/night.pcap"
        "$program" replay --no-ui "$scratch/night.pcap" --db "$scratch/night.db" >"$scratch/night.log" 2>&1
        shot past 120 40 6 3,t,0,3,colon,2,0,Return,C,C,j "$program" --view --db "$scratch/night.db"
        ;;
    *) echo "screenshots: no picture \`$1\`; there are main, small, tiny, help, waiting, mono, host, exporters, flows, download, past and tour" >&2; exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- main small tiny help waiting mono host exporters flows download past tour
pictures=()
for name in "$@"; do
    picture "$name" &
    pictures+=($!)
done
for picture in "${pictures[@]}"; do wait "$picture"; done
