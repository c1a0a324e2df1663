# What the clients on a command line share: sourced by their cases.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# run CASE FUNCTION: ok where every command of the function succeeds; every case runs, whatever became of the one before.
run() {
    local said status
    # Not as a condition: in one, `set -e` counts for nothing.
    said=$(set -e; "$2" 2>&1)
    status=$?
    if [ $status = 0 ]; then echo "ok $1"; else echo "not ok $1: $(tr '\n' ' ' <<<"$said" | tail -c 250)"; failed=1; fi
}
# refused PATTERN COMMAND...: succeeds where the command fails and says so.
refused() { local pattern=$1 said; shift; said=$("$@" 2>&1) && { echo "not refused"; return 1; }; grep -q -- "$pattern" <<<"$said" || { echo "$said"; return 1; }; }
# has PATTERN COMMAND...: succeeds where the command prints a line that fits. (grep -q in a pipe would break the pipe.)
has() { local pattern=$1 said; shift; said=$("$@" 2>&1) || { echo "$said"; return 1; }; grep -q -- "$pattern" <<<"$said" || { echo "no «$pattern» in $said"; return 1; }; }
lacks() { ! has "$@" >/dev/null; }
is() { [ "$1" = "$2" ] || { echo "«$1» is not «$2»"; return 1; }; }

: >empty
printf 'some content\n' >small
head -c 3000000 /dev/urandom >middle
