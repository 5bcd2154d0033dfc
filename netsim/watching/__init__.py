"""Looking on while a run, a training or a study goes on: its report, served to a browser on this machine, or here."""
