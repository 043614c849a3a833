"""What a person is shown: pages, charts and tables of the terminal."""
