"""The integrity court: every doubt about a run, one file each; `court` lists them."""
