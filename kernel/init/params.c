/*
 * params.c: the words of the kernel's command line.
 *
 * What:    parse_early_param(): those that matter before memory management (early_param), from a copy;
 *          parse_args(): all others (__setup), in place, so that handlers may keep pointers into the line.  What nobody
 *          takes goes to init: "a=b" into its environment, other words as arguments; behind "--" everything does.
 * Idea:    handlers are found by walking the section .init.setup, which the macros of <weft/init.h> fill.
 * Locking: start-up, one CPU.
 * See:     bootparam(7); doc/boot.md
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/ctype.h>
#include <weft/main.h>
#include <weft/string.h>

struct word {
	char	*name;
	char	*value;		/* NULL: there was no '=' */
};

/* Is c, or the quote state, still inside the word? */
static char *end_of_word(char *s)
{
	bool quoted = false;

	for (; *s && (quoted || !isspace((unsigned char)*s)); s++)
		if (*s == '"')
			quoted = !quoted;
	return s;
}

/* Takes quotes off "..." in place. */
static char *unquote(char *s)
{
	size_t n = strlen(s);

	if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
		s[n - 1] = '\0';
		s++;
	}
	return s;
}

/* Cuts the next word off the line.  Returns the rest, or NULL when there is no word left. */
static char *next_word(char *line, struct word *w)
{
	char *end;

	line = skip_spaces(line);
	if (!*line)
		return NULL;
	end = end_of_word(line);
	if (*end)
		*end++ = '\0';
	w->name = unquote(line);
	w->value = strchr(w->name, '=');
	return end;
}

/* The two are the same but for '-' and '_'. */
static bool same_name(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b) || !*a)
			return false;
	return true;
}

static void __init early_word(struct word *w)
{
	size_t n = w->value ? (size_t)(w->value - w->name) : strlen(w->name);
	char *value = w->value ? unquote(w->value + 1) : "";

	for (struct obs_kernel_param *p = __setup_start; p < __setup_end; p++)
		if (p->early && strlen(p->str) == n && same_name(w->name, p->str, n) && p->setup_func(value))
			pr_warn("boot parameter %s: bad value '%s'\n", p->str, value);
}

/* Has an early handler: parse_early_param() has seen it. */
static bool __init is_early(const struct word *w)
{
	size_t n = w->value ? (size_t)(w->value - w->name) : strlen(w->name);

	for (struct obs_kernel_param *p = __setup_start; p < __setup_end; p++)
		if (p->early && strlen(p->str) == n && same_name(w->name, p->str, n))
			return true;
	return false;
}

/* Gives the word to the first handler that takes it: one whose string, with its '=', begins the word. */
static bool __init setup_word(struct word *w)
{
	for (struct obs_kernel_param *p = __setup_start; p < __setup_end; p++) {
		size_t n = strlen(p->str);

		if (p->early || !same_name(w->name, p->str, n))
			continue;
		if (p->str[n - 1] != '=' && w->name[n] && w->name[n] != '=')
			continue;			/* "debug" is not the start of "debugger" */
		if (p->setup_func(unquote(w->name + n)))
			return true;
	}
	return false;
}

void __init parse_early_param(void)
{
	static char line[COMMAND_LINE_SIZE] __initdata;
	char *rest = line;
	struct word w;

	strscpy(line, boot_command_line, sizeof(line));
	while ((rest = next_word(rest, &w)) && strcmp(w.name, "--"))
		early_word(&w);
}

void __init parse_args(char *cmdline)
{
	bool for_init = false;
	char *rest = cmdline;
	struct word w;

	while ((rest = next_word(rest, &w))) {
		if (for_init) {
			pass_to_init(w.name, false);
		} else if (!strcmp(w.name, "--")) {
			for_init = true;
		} else if (!setup_word(&w) && !is_early(&w)) {
			/* a.b=c is meant for a part of another kernel that we do not have */
			if (!strnchr(w.name, w.value ? (size_t)(w.value - w.name) : SIZE_MAX, '.'))
				pass_to_init(w.name, w.value != NULL);
		}
	}
}
