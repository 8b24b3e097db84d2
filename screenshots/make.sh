#!/usr/bin/env bash
# Makes the pictures in this folder from the real program, in a real terminal on a screen that nobody sees.
# Needs Xvfb, kitty, xdotool, ImageMagick and JetBrains Mono; on Debian:
#   apt-get install --no-install-recommends xvfb kitty xdotool imagemagick fonts-jetbrains-mono
# Usage: screenshots/make.sh [NAME…]    all pictures, or the named ones: main small help waiting mono
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in Xvfb kitty xdotool import convert; do
    command -v "$tool" >/dev/null || { echo "screenshots: \`$tool\` is missing, see the head of $0" >&2; exit 2; }
done
cargo build --release --locked
program=$(realpath "${CARGO_TARGET_DIR:-target}")/release/flowglass

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

# shot NAME COLUMNS ROWS SECONDS KEY COMMAND…: the screen after so many seconds, and a key (`-` for none).
# Runs in a subshell, which ends what it started.
shot() (
    name=$1 columns=$2 rows=$3 seconds=$4 key=$5
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
    if [ "$key" != - ]; then
        xdotool windowfocus "$window" key "$key"
        sleep 2
    fi
    import -window "$window" -strip "$scratch/$name.png"
    convert "$scratch/$name.png" +dither -colors 64 -define png:compression-level=9 "screenshots/$name.png"
    echo "screenshots/$name.png: $(stat -c %s "screenshots/$name.png") bytes"
)

picture() {
    case $1 in
    main) shot main 120 40 78 - "$program" demo ;;
    small) shot small 80 24 78 - "$program" demo ;;
    help) shot help 120 40 20 question "$program" demo ;;
    waiting) shot waiting 120 40 9 - "$program" --host 127.0.0.1 --port 0 --no-db ;;
    mono) shot mono 120 40 78 - env NO_COLOR=1 "$program" demo ;;
    *) echo "screenshots: no picture \`$1\`; there are main, small, help, waiting and mono" >&2; exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- main small help waiting mono
pictures=()
for name in "$@"; do
    picture "$name" &
    pictures+=($!)
done
for picture in "${pictures[@]}"; do wait "$picture"; done
