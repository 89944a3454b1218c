"""Report formats, one a file; the file's name is the format's name. See `auditor.reports.format`."""
