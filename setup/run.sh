#!/bin/sh
# Runs a command of .venv. Where .venv stands on an installed ROS 2, our messages come on the path first.
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv
if [ -n "${ROS_DISTRO:-}" ]; then
  . "$venv/setup.sh"
fi
command=$1
shift
exec "$venv/bin/$command" "$@"
