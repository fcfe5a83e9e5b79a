/*
 * options.c: the words behind mount -o, and /proc/mounts.
 *
 * Locking: none at mount time; s_umount (writing) when it is mounted anew.
 * See:     ext4(5)
 */
#include <weft/kernel.h>
#include <weft/seq_file.h>
#include <weft/string.h>
#include "ext.h"

/* Words that ask for what is always so here, or for a hint that changes nothing. */
static const char *const accepted[] = {
	"user_xattr", "auto_da_alloc", "noauto_da_alloc", "grpid", "nogrpid", "bsdgroups", "sysvgroups", "lazytime",
	"nolazytime", "i_version", "dioread_nolock", "dioread_lock", "journal_checksum", "nojournal_checksum", "block_validity",
	"noblock_validity", "init_itable", "noinit_itable", "delalloc", "oldalloc", "orlov", "quota", "noquota",
	"journal_ioprio", "inode_readahead_blks", "stripe", "min_batch_time", "max_batch_time", "resuid", "resgid",
	"max_dir_size_kb", "debug", "minixdf", "bsddf", "check", "nocheck", "nombcache", "prefetch_block_bitmaps",
	"no_prefetch_block_bitmaps", "mb_optimize_scan",
};

static bool is_accepted(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++)
		if (!strcmp(key, accepted[i]))
			return true;
	return false;
}

static const char *const data_modes[] = {
	[EXT_DATA_ORDERED] = "ordered", [EXT_DATA_WRITEBACK] = "writeback", [EXT_DATA_JOURNAL] = "journal",
};

/* Data are written before what leads to them in the first two. */
static int parse_data(struct ext_options *opt, const char *value)
{
	for (size_t i = 0; value && i < ARRAY_SIZE(data_modes); i++)
		if (!strcmp(value, data_modes[i])) {
			opt->data_mode = (enum ext_data_mode)i;
			opt->data_mode_set = true;
			return 0;
		}
	return -EINVAL;
}

static int parse_errors(struct ext_options *opt, const char *value)
{
	if (value && !strcmp(value, "continue"))
		opt->errors = EXT_ERRORS_CONTINUE;
	else if (value && !strcmp(value, "remount-ro"))
		opt->errors = EXT_ERRORS_RO;
	else if (value && !strcmp(value, "panic"))
		opt->errors = EXT_ERRORS_PANIC;
	else
		return -EINVAL;
	return 0;
}

static int parse_option(struct ext_options *opt, const char *key, const char *value)
{
	unsigned int n;

	if (!strcmp(key, "errors"))
		return parse_errors(opt, value);
	if (!strcmp(key, "data"))
		return parse_data(opt, value);
	if (!strcmp(key, "commit") || !strcmp(key, "barrier")) {
		if (!value && key[0] == 'c')
			return -EINVAL;
		if (value && kstrtouint(value, 10, &n))
			return -EINVAL;
		if (key[0] == 'c')
			opt->commit_secs = n ? min(n, 3600u) : 5;
		else
			opt->nobarrier = value && !n;
		return 0;
	}
	if (!strcmp(key, "nobarrier"))
		opt->nobarrier = true;
	else if (!strcmp(key, "noload") || !strcmp(key, "norecovery"))
		opt->noload = true;
	else if (!strcmp(key, "acl") || !strcmp(key, "noacl"))
		opt->noacl = key[0] == 'n';
	else if (!strcmp(key, "discard") || !strcmp(key, "nodiscard"))
		opt->discard = key[0] == 'd';
	else if (!strcmp(key, "nouser_xattr"))
		opt->nouser_xattr = true;
	else if (!is_accepted(key))
		return -EINVAL;
	return 0;
}

/* Writes into the text.  0 or -EINVAL. */
int ext_parse_options(struct ext_options *opt, char *text)
{
	char *key;

	while (text && (key = strsep(&text, ","))) {
		char *value = strchr(key, '=');

		if (!*key)
			continue;
		if (value)
			*value++ = 0;
		if (parse_option(opt, key, value)) {
			pr_err("ext: bad option '%s%s%s'\n", key, value ? "=" : "", value ? value : "");
			return -EINVAL;
		}
	}
	return 0;
}

int ext_show_options(struct seq_file *m, struct dentry *root)
{
	const struct ext_fs *fs = EXT_FS(root->d_sb);
	const struct ext_options *opt = &fs->opt;

	if (opt->errors != fs->es->s_errors)
		seq_printf(m, ",errors=%s", opt->errors == EXT_ERRORS_RO ? "remount-ro" :
			   opt->errors == EXT_ERRORS_PANIC ? "panic" : "continue");
	if (opt->nobarrier)
		seq_puts(m, ",nobarrier");
	if (opt->noload)
		seq_puts(m, ",norecovery");
	if (opt->noacl)
		seq_puts(m, ",noacl");
	if (opt->discard)
		seq_puts(m, ",discard");
	if (opt->commit_secs != 5)
		seq_printf(m, ",commit=%u", opt->commit_secs);
	if ((opt->data_mode_set || opt->data_mode) && fs->journal)
		seq_printf(m, ",data=%s", data_modes[opt->data_mode]);
	return 0;
}
