#!/usr/bin/env bash
# What agent_bench.py measures: memory while staging and serving at once, and start to serving. BIN_DIR [options]
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/agent_bench.py" "$@"
