"""The digital twin of a sliced base station: a network as it was recorded, models of it, agents practising on them."""
