"""The command line: one file per command, nothing that the workflow does not do."""
