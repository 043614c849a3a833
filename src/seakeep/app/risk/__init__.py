"""The risk desk: what it is asked, and where its answers come from."""
