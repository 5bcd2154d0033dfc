"""The digital twin of the base station. Nothing is here yet: this version of slicetwin is the simulator."""
