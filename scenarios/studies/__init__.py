"""The studies that come with netsim. This folder is installed as the package ``netsim.scenarios.studies``."""
