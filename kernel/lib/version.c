/*
 * version.c: what this kernel calls itself.
 *
 * uname says Linux and a release that begins with the version whose system calls are meant, because programs and
 * configure scripts look; /proc/version and the banner name Weft.
 */
#include <weft/utsname.h>
#include <weft/init.h>
#include <weft/main.h>

#ifdef CONFIG_DEBUG
#define BUILD "debug"
#else
#define BUILD "release"
#endif

const char weft_banner[] = "Weft 6.1.0-weft (" BUILD ", gcc " __VERSION__ ") SMP PREEMPT\n";
const char weft_proc_version[] = "Linux version 6.1.0-weft (Weft, " BUILD ") (gcc " __VERSION__ ") #1 SMP PREEMPT\n";
