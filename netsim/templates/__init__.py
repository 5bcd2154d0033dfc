"""The files that ``netsim new`` starts from; each is one that works, under a name of its own."""
