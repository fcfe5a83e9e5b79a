/*
 * binfmt_script.c: files that begin with "#!": an interpreter runs them.
 *
 * Idea:    "#! /bin/sh -x" run as "./script a b" becomes /bin/sh with the arguments "/bin/sh" "-x" "./script" "a" "b":
 *          argv[0] is replaced, the rest of the first line is one argument, whatever blanks it has.  The interpreter is
 *          then looked at in the next round, and may be a script itself.
 * See:     execve(2) "Interpreter scripts"
 */
#include <weft/kernel.h>
#include <weft/binfmts.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/init.h>
#include <weft/string.h>

static bool blank(char c) { return c == ' ' || c == '\t'; }

static char *skip_blanks(char *s, const char *end)
{
	while (s < end && blank(*s))
		s++;
	return s;
}

static char *skip_word(char *s, const char *end)
{
	while (s < end && *s && !blank(*s))
		s++;
	return s;
}

/* Cuts bprm->buf into the interpreter's name and its argument (or NULL), both terminated.  0 or -ENOEXEC. */
static int parse_first_line(char *buf, char **interp, char **arg)
{
	char *end = strnchr(buf, BINPRM_BUF_SIZE, '\n'), *name, *after;

	if (!end) {
		/* A line longer than the buffer: its name at least must be whole, or another program would be run. */
		end = buf + BINPRM_BUF_SIZE - 1;
		name = skip_blanks(buf + 2, end);
		if (skip_word(name, end) == end && *end)
			return -ENOEXEC;
	}
	while (end > buf + 2 && blank(end[-1]))
		end--;
	*end = '\0';
	name = skip_blanks(buf + 2, end);
	if (name == end || !*name)
		return -ENOEXEC;
	after = skip_word(name, end);
	*arg = skip_blanks(after, end);
	if (*arg == end || !**arg)
		*arg = NULL;
	*after = '\0';
	*interp = name;
	return 0;
}

static int load_script(struct linux_binprm *bprm)
{
	char *interp, *arg;
	struct file *file;
	int err;

	if (bprm->buf[0] != '#' || bprm->buf[1] != '!')
		return -ENOEXEC;
	err = parse_first_line(bprm->buf, &interp, &arg);
	if (err)
		return err;
	if (bprm->path_inaccessible)
		return -ENOENT;
	err = remove_arg_zero(bprm);
	if (err)
		return err;
	/* From the last of the new first arguments to the first. */
	err = copy_string_kernel(bprm->interp, bprm);
	if (err)
		return err;
	bprm->argc++;
	if (arg) {
		err = copy_string_kernel(arg, bprm);
		if (err)
			return err;
		bprm->argc++;
	}
	err = copy_string_kernel(interp, bprm);
	if (err)
		return err;
	bprm->argc++;
	err = bprm_change_interp(interp, bprm);
	if (err)
		return err;
	file = open_exec(interp);
	if (IS_ERR(file))
		return PTR_ERR(file);
	bprm->interpreter = file;
	return 0;
}

static struct linux_binfmt script_format = { .name = "script", .load_binary = load_script };

static int __init init_script_binfmt(void)
{
	register_binfmt(&script_format);
	return 0;
}
core_initcall(init_script_binfmt);
