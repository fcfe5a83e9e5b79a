# How the kernel is linked: generated tables first, objects, a first link for its symbols, then the symbol table
# itself (tools/kallsyms.py), then the image.  Owner of this file: arch/x86.
GENERATED :=
