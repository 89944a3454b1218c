"""`auditor …`: one file a command: parse → session → render → exit code."""
