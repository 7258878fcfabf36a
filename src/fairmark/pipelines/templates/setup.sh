#!/usr/bin/env bash
# Gradescope runs this once, when it builds the autograder's image: choose the base image Ubuntu 24.04 or later.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends bubblewrap python3 python3-venv
python3 -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet --no-cache-dir -r "$root/source/requirements.txt"
# fairmark itself comes in the zip: the same code that proved the release.
cp -r "$root/source/packages/fairmark" "$("$root/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
"$root/venv/bin/python" -m compileall -q "$root/venv/lib" || true
