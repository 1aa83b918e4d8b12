"""What reads and compares made files: put into the sandbox as it is, and run there.

Standard library only, but for the readers of workbooks, Parquet and pictures, which import what the image has when they need it.
The host imports from here what is pure: when two numbers are the same, how two tables of plain cells differ, how text is a table.
"""
