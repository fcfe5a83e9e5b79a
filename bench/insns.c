/*
 * insns.c: a QEMU TCG plugin that counts the guest's executed instructions by address: a profiler without sampling error.
 *
 * Idea:    under `-icount shift=0` time is the number of instructions, so the count of each translated block times its
 *          length is where the time went.  At exit the blocks are written out as "address instructions runs";
 *          profile.py puts names to them.
 * Header:  QEMU 7.2 as packaged leaves out qemu-plugin.h; the few prototypes needed are declared here (plugin API 1).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_info_t;
struct qemu_plugin_tb;
enum { CB_NO_REGS = 0, INLINE_ADD_U64 = 0 };

typedef void (*tb_trans_cb)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*atexit_cb)(plugin_id id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(plugin_id id, atexit_cb cb, void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

struct block {
	uint64_t vaddr, insns, runs;
	struct block *next;
};

/* One bucket list by address and length: a block that is translated again goes on with its old count. */
#define BUCKETS 65536
static struct block *table[BUCKETS];
static const char *path = "insns.out";

static struct block *find(uint64_t vaddr, uint64_t insns)
{
	struct block **head = &table[(vaddr ^ vaddr >> 16) % BUCKETS], *b;

	for (b = *head; b; b = b->next)
		if (b->vaddr == vaddr && b->insns == insns)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->vaddr = vaddr;
	b->insns = insns;
	b->next = *head;
	*head = b;
	return b;
}

/* Called with QEMU's translation lock held: the table needs no lock of its own. */
static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b = find(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->runs, 1);
}

static void finished(plugin_id id, void *data)
{
	FILE *f = fopen(path, "w");

	(void)id;
	(void)data;
	if (!f)
		return;
	for (int i = 0; i < BUCKETS; i++)
		for (struct block *b = table[i]; b; b = b->next)
			if (b->runs)
				fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->vaddr, b->insns, b->runs);
	fclose(f);
}

__attribute__((visibility("default")))
int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			path = argv[i] + 4;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finished, NULL);
	return 0;
}
