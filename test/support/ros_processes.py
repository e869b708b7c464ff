"""Processes that run nodes on this machine."""

from pathlib import Path


def processes_of(domain):
    """The words of each command line, by process id, of all that run in a ROS domain."""
    found = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_text().split('\0')
            variables = (folder / 'environ').read_text().split('\0')
        except OSError:
            continue
        if f'ROS_DOMAIN_ID={domain}' in variables and '--ros-args' in words:
            found[int(folder.name)] = words
    return found
