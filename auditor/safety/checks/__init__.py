"""The checks of files, one module each; the file's name is the rule's."""
