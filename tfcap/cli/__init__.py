"""The subcommands of `tfcap`, a module each: its arguments, and what it does."""
