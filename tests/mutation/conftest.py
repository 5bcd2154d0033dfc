"""The tool that makes mutants is no part of what the tests need (extra ``mutation``)."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("cosmic_ray") else ["campaign.py", "mutants.py", "__main__.py"]
