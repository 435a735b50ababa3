"""The `tfcap` command, one module per subcommand."""
