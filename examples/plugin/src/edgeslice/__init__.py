"""An example of a plugin for slicetwin."""
