"""The command line: one file a verb; each parses, then calls one public function."""
