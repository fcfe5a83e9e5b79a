#!/usr/bin/env python3
# mkman.py: manual pages of section 3 from the comments of include/weft/thread.h.
#
# What:  mkman.py HEADER OUTPUT_DIR.  A comment that opens with two stars and a line "name, name - summary" becomes a page;
#        the declarations below it, up to the next such comment, become its synopsis; the other names get ".so" pages.
# Idea:  one source for what a call promises, where its prototype stands.
# Check: fails when a function declared in the header has no page.
# See:   man-pages(7) for the sections.
import os, re, sys

def escape(s):
    s = s.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + s if s[:1] in ".'" else s

def main(header, out):
    text = open(header).read()
    os.makedirs(out, exist_ok=True)
    parts = re.split(r"/\*\*\s", text)[1:]
    named, declared = set(), set(re.findall(r"\b(weft_\w+)\(", re.sub(r"/\*.*?\*/", "", text, flags=re.S)))
    declared = {d for d in declared if re.search(r"\b%s\([^;]*\)[^;]*;" % d, text)}
    for part in parts:
        comment, rest = part.split("*/", 1)
        lines = [re.sub(r"^ \* ?", "", l) for l in comment.split("\n")]
        names, summary = lines[0].split(" - ", 1)
        names = [n.strip() for n in names.split(",")]
        named.update(names)
        code = re.sub(r"#ifdef __cplusplus.*", "", rest, flags=re.S)
        code = re.sub(r"/\* A list of waiting.*?\n};\n", "", code, flags=re.S).strip()
        page = ['.TH %s 3 "" "libweft" "Weft programmer\'s manual"' % names[0].upper(), ".SH NAME", escape(", ".join(names)) + " \\- " + escape(summary.strip()),
                ".SH SYNOPSIS", ".nf", "#include <weft/thread.h>", ""] + [escape(l) for l in code.split("\n")] + [".fi", ".SH DESCRIPTION"]
        for l in lines[1:]:
            l = l.strip()
            m = re.match(r"Returns: (.*)", l)
            if m:
                page += [".SH RETURN VALUE", escape(m.group(1))]
            elif not l:
                page.append(".PP")
            else:
                page.append(escape(l))
        page += [".SH SEE ALSO", "The file doc/libweft.md of the Weft source."]
        open(os.path.join(out, names[0] + ".3"), "w").write("\n".join(page) + "\n")
        for n in names[1:]:
            open(os.path.join(out, n + ".3"), "w").write(".so man3/%s.3\n" % names[0])
    missing = declared - named
    if missing:
        sys.exit("mkman: no page for " + ", ".join(sorted(missing)))

main(*sys.argv[1:3])
