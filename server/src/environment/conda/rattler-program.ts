/**
 * Runs inside the sandbox: everything that comes from a channel is parsed here, never in the server's own process.
 * Argument: the folder of py-rattler. Standard input: one request as JSON. Standard output: lines "progress TEXT", last "result JSON".
 */
export const RATTLER_PROGRAM = `
import asyncio, datetime, glob, hashlib, json, os, sys, tempfile, time
sys.path.insert(0, sys.argv[1])
import rattler
from rattler.package_streaming import PackageArchive, download_to_writer

REPODATA_TIMEOUT_S = 180
SOLVE_TIMEOUT_S = 120
STALLED_S = 60
DOWNLOADS = 6
request = json.load(sys.stdin)


class Refused(Exception):
    pass


def say(text):
    print("progress " + text, flush=True)


def client(timeout=None):
    settings = 'tls-root-certs = "system"\\n'
    if request["credentials"]:
        file = os.path.join(os.environ["HOME"], "credentials.json")
        if not os.path.exists(file):
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
                json.dump(request["credentials"], output)
        settings += "authentication-override-file = " + json.dumps(file) + "\\n"
    return rattler.Client.from_config(rattler.Config.from_toml(settings), max_retries=2, timeout=timeout)


async def solve():
    target = request["target"]
    virtual = [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build))
        for name, version, build in target["virtualPackages"]
    ]
    records = await rattler.solve(
        [rattler.Channel(address) for address in request["channels"]],
        request["specs"],
        gateway=rattler.Gateway(cache_dir=request["cache"], client=client(REPODATA_TIMEOUT_S)),
        platforms=[target["subdir"], "noarch"],
        virtual_packages=virtual,
        timeout=datetime.timedelta(seconds=SOLVE_TIMEOUT_S),
        channel_relations="disabled",
    )
    def hexed(value):
        return None if value is None else value.hex()
    return [
        {
            "name": record.name.normalized,
            "version": str(record.version),
            "build": record.build if isinstance(record.build, str) else str(record.build),
            "url": record.url,
            "sha256": hexed(record.sha256),
            "md5": hexed(record.md5),
            "size": record.size,
            "sitePackages": record.python_site_packages_path,
        }
        for record in sorted(records, key=lambda record: record.name.normalized)
    ]


class Checked:
    """A file that takes no more than it may, and knows its hashes."""

    def __init__(self, file, limit):
        self.file, self.limit, self.size = file, limit, 0
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5()
        self.moved = time.monotonic()

    def write(self, data):
        self.size += len(data)
        if self.size > self.limit:
            raise Refused("it is larger than the %d bytes that the channel tells of" % self.limit)
        self.sha256.update(data)
        self.md5.update(data)
        self.moved = time.monotonic()
        return self.file.write(data)


async def fetch_one(package, http, turn):
    archive = package["archive"]
    if os.path.exists(archive):
        return
    async with turn:
        say("Downloading %s %s%s" % (package["name"], package["version"], package["shownSize"]))
        folder = os.path.dirname(archive)
        os.makedirs(folder, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".part-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                checked = Checked(file, package["limit"])
                download = asyncio.ensure_future(download_to_writer(http, package["url"], checked))
                while not (await asyncio.wait([download], timeout=1))[0]:
                    if time.monotonic() - checked.moved > STALLED_S:
                        download.cancel()
                        raise Refused("nothing came for %d seconds" % STALLED_S)
                try:
                    download.result()
                except Exception as error:
                    raise Refused(str(error)) from error
                file.flush()
                os.fsync(file.fileno())
            hashes = {"sha256": checked.sha256.hexdigest(), "md5": checked.md5.hexdigest()}
            if hashes[package["hashKind"]] != package["hash"]:
                raise Refused("its %s is %s instead of %s" % (package["hashKind"], hashes[package["hashKind"]], package["hash"]))
            os.chmod(part, 0o644)
            os.replace(part, archive)
        except Refused as error:
            raise Refused("%s could not be downloaded: %s" % (package["url"], error)) from error
        finally:
            if os.path.exists(part):
                os.unlink(part)


async def fetch():
    http, turn = client(), asyncio.Semaphore(DOWNLOADS)
    tasks = [asyncio.ensure_future(fetch_one(package, http, turn)) for package in request["packages"]]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return None


def leads_out(path):
    parts = path.replace("\\\\", "/").split("/")
    return path == "" or path.startswith("/") or ".." in parts or "\\0" in path


async def look_into(package):
    """What a package says of itself; refused when it is another one, or would put something outside of the environment."""
    files = await (await PackageArchive.from_path(package["archive"])).read_files(
        ["info/index.json", "info/paths.json", "info/files", "info/has_prefix", "info/link.json"]
    )
    index = json.loads(files["info/index.json"] or "null")
    said = [index["name"], index["version"], index["build"]]
    if said != [package["name"], package["version"], package["build"]]:
        raise Refused("it says that it is " + " ".join(str(part) for part in said))
    paths = [entry["_path"] for entry in json.loads(files["info/paths.json"] or '{"paths": []}')["paths"]]
    paths += (files["info/files"] or b"").decode().splitlines()
    paths += [line.split(" ")[-1].strip('"') for line in (files["info/has_prefix"] or b"").decode().splitlines()]
    noarch = json.loads(files["info/link.json"] or "{}").get("noarch") or {}
    paths += [entry.split("=")[0].strip() for entry in noarch.get("entry_points") or []]
    for path in paths:
        if leads_out(path):
            raise Refused("its file %r would lie outside of the environment" % path)
    return index


async def link():
    prefix = request["prefix"]
    records = []
    for package in request["packages"]:
        try:
            index = await look_into(package)
            noarch = index.get("noarch")
            record = rattler.PackageRecord(
                name=package["name"],
                version=package["version"],
                build=rattler.BuildString(package["build"]),
                build_number=int(index.get("build_number", 0)),
                subdir=package["subdir"],
                noarch=None if not noarch else "python" if noarch == "python" else "generic",
                depends=list(index.get("depends") or []),
                constrains=list(index.get("constrains") or []),
                python_site_packages_path=package["sitePackages"],
                **{package["hashKind"]: bytes.fromhex(package["hash"])},
            )
        except Exception as error:
            raise Refused("%s cannot be used: %s" % (package["url"], error)) from error
        file = os.path.basename(package["archive"])
        address = "file://" + package["archive"]
        records.append(rattler.RepoDataRecord(record, file, address, package["url"].rsplit("/", 2)[0]))
    await rattler.install(
        records,
        prefix,
        cache_dir=request["scratch"],
        platform=rattler.Subdir(request["target"]["subdir"]),
        execute_link_scripts=False,
        show_progress=False,
        alternative_target_prefix=request["prefixInFiles"],
    )
    tidy(prefix, {package["name"]: package["url"] for package in request["packages"]})
    return None


def tidy(prefix, addresses):
    """Nothing of this machine and this day stays in the records, so the same packages give the same bytes."""
    for name in ("CACHEDIR.TAG", "conda-meta/history"):
        if os.path.exists(os.path.join(prefix, name)):
            os.unlink(os.path.join(prefix, name))
    for file in glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "*.json")):
        with open(file) as source:
            record = json.load(source)
        for key in ("extracted_package_dir", "package_tarball_full_path", "link", "requested_specs"):
            record.pop(key, None)
        record["url"] = addresses[record["name"]]
        record["channel"] = record["url"].rsplit("/", 2)[0]
        os.unlink(file)
        with open(file, "w") as output:
            json.dump(record, output, indent=1, sort_keys=True)


async def main():
    try:
        done = {"value": await {"solve": solve, "fetch": fetch, "link": link}[request["action"]]()}
    except Exception as error:
        done = {"error": {"type": type(error).__name__, "message": str(error)}}
    print("result " + json.dumps(done), flush=True)
    # Not by the way out of Python: threads of the library that are still at work make it crash now and then.
    os._exit(0)


asyncio.run(main())
`;
