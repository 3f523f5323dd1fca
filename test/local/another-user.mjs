// Preloaded into a server: it runs as somebody else than whoever wrote the files.
const { getuid } = process;
process.getuid = () => getuid() + 1;
