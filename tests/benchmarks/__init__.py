"""The marks of speed, measured on request.

    pip install -e '.[test,bench]'
    pytest -o addopts= tests/benchmarks

Every mark is a ratio of two costs measured in turns in the same run, or has a limit that it names. Costs are process
CPU time unless a test says otherwise. Run on a machine that has nothing else to do; about two minutes.
"""
