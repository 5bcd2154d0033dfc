"""Studies: many runs of ``netsim``, what they leave, and what can be concluded from it.

A study is a grid of command lines (:mod:`netsim.studies.plan`). Each leaves a folder that says by itself whether it is
finished (:mod:`netsim.studies.jobs`); an engine carries out those that are not (:mod:`netsim.studies.engine`). From the
numbers in the folders come curves, tables and verdicts on claims (:mod:`netsim.studies.outcome`). Nothing here knows
what an agent or a twin is: commands, folders, JSON, JSONL and the table of periods are all there is.
"""
