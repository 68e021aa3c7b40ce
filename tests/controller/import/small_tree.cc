#include "small_tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "common/base/check.h"
#include "common/content/digest.h"
#include "controller/import/checksum.h"

namespace farboot {
namespace {

struct FreeWriter {
  void operator()(::archive* writer) const { ::archive_write_free(writer); }
};
using Writer = std::unique_ptr<::archive, FreeWriter>;
struct FreeEntry {
  void operator()(::archive_entry* entry) const { ::archive_entry_free(entry); }
};

bool is_link(const std::string& content) { return content.starts_with("-> "); }

void put_entry(::archive* writer, const std::string& path, const std::string& content) {
  const std::unique_ptr<::archive_entry, FreeEntry> entry(::archive_entry_new());
  ::archive_entry_set_pathname_utf8(entry.get(), path.c_str());
  ::archive_entry_set_perm(entry.get(), 0644);
  if (is_link(content)) {
    ::archive_entry_set_filetype(entry.get(), AE_IFLNK);
    ::archive_entry_set_symlink_utf8(entry.get(), content.substr(3).c_str());
    FARBOOT_CHECK(::archive_write_header(writer, entry.get()) == ARCHIVE_OK);
    return;
  }
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  if (content.starts_with("=> ")) {
    ::archive_entry_set_hardlink_utf8(entry.get(), content.substr(3).c_str());
    FARBOOT_CHECK(::archive_write_header(writer, entry.get()) == ARCHIVE_OK);
    return;
  }
  ::archive_entry_set_size(entry.get(), static_cast<::la_int64_t>(content.size()));
  FARBOOT_CHECK(::archive_write_header(writer, entry.get()) == ARCHIVE_OK);
  FARBOOT_CHECK(::archive_write_data(writer, content.data(), content.size()) ==
                static_cast<::la_ssize_t>(content.size()));
}

int keep_bytes_open(::archive*, void*) { return ARCHIVE_OK; }
::la_ssize_t keep_bytes(::archive*, void* out, const void* bytes, std::size_t size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
  return static_cast<::la_ssize_t>(size);
}

std::string finish(Writer writer, std::string& out) {
  FARBOOT_CHECK(::archive_write_close(writer.get()) == ARCHIVE_OK);
  return std::move(out);
}

std::string checksum_line(const TreeFiles& tree, const std::string& path) {
  return path + " = sha256:" + sha256_hex(tree.at(path)) + "\n";
}

/// What .treeinfo of every productmd 1.2 tree has.
std::string productmd_head() {
  return "[header]\ntype = productmd.treeinfo\nversion = 1.2\n\n"
         "[release]\nname = Rocky Linux\nshort = Rocky\nversion = 9.4\n\n"
         "[tree]\narch = x86_64\nbuild_timestamp = 1714867200\nplatforms = x86_64,xen\n"
         "variants = AppStream,BaseOS\n\n"
         "[general]\n; WARNING.0 = compatibility\narch = x86_64\nfamily = Rocky Linux\n"
         "name = Rocky Linux 9.4\npackagedir = Packages\nversion = 9.4\nvariant = AppStream\n\n"
         "[images-x86_64]\ninitrd = images/pxeboot/initrd.img\nkernel = images/pxeboot/vmlinuz\n"
         "boot.iso = images/boot.iso\n\n"
         "[images-xen]\ninitrd = images/pxeboot/initrd.img\nkernel = images/pxeboot/vmlinuz\n\n"
         "[stage2]\nmainimage = images/install.img\n\n";
}

void add_boot_files(TreeFiles& tree, const std::string& folder) {
  tree[folder + "images/pxeboot/vmlinuz"] = "kernel of nine";
  tree[folder + "images/pxeboot/initrd.img"] = noise(20'000, 91);
  tree[folder + "images/install.img"] = "hsqs" + noise(30'000, 92);
}

std::string checksums_of_boot_files(const TreeFiles& tree, const std::string& folder) {
  std::string text = "[checksums]\nimages/boot.iso = sha256:" + sha256_hex("elsewhere") + "\n";
  for (const char* path :
       {"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img"})
    text += std::string(path) + " = sha256:" + sha256_hex(tree.at(folder + path)) + "\n";
  return text + "\n";
}

}  // namespace

std::string noise(std::size_t size_bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size_bytes, '\0');
  for (std::size_t at = 0; at < size_bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size_bytes - at));
  }
  return bytes;
}

std::string sha256_hex(const std::string& text) { return sha256(as_bytes(text)).hex(); }

std::string gzip(const std::string& text) {
  std::string out;
  Writer writer(::archive_write_new());
  ::archive_write_set_format_raw(writer.get());
  ::archive_write_add_filter_gzip(writer.get());
  ::archive_write_set_bytes_per_block(writer.get(), 0);
  FARBOOT_CHECK(::archive_write_open(writer.get(), &out, keep_bytes_open, keep_bytes, nullptr) ==
                ARCHIVE_OK);
  put_entry(writer.get(), "data", text);
  return finish(std::move(writer), out);
}

void add_repodata(TreeFiles& tree, const std::string& folder) {
  std::string primary =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata "
      "xmlns=\"http://linux.duke.edu/metadata/common\" "
      "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\">\n";
  for (const auto& [path, content] : tree) {
    if (!path.starts_with(folder) || !path.ends_with(".rpm")) continue;
    const std::string href = path.substr(folder.size());
    primary +=
        "<package type=\"rpm\"><name>x</name><version epoch=\"0\" ver=\"1\"/>"
        "<checksum type=\"sha256\" pkgid=\"YES\">" +
        sha256_hex(content) +
        "</checksum>"
        "<size package=\"" +
        std::to_string(content.size()) +
        "\" installed=\"1\"/>"
        "<location href=\"" +
        href +
        "\"/>"
        "<format><rpm:license>MIT</rpm:license><file>/etc/x</file></format></package>\n";
  }
  primary += "</metadata>\n";
  const std::string packed = gzip(primary);
  const std::string name = "repodata/" + sha256_hex(packed) + "-primary.xml.gz";
  const std::string others = gzip("<filelists/>");
  const std::string others_name = "repodata/" + sha256_hex(others) + "-filelists.xml.gz";
  const auto data = [](const std::string& type, const std::string& href,
                       const std::string& content) {
    return "<data type=\"" + type + "\"><checksum type=\"sha256\">" + sha256_hex(content) +
           "</checksum><location href=\"" + href + "\"/><timestamp>1</timestamp><size>" +
           std::to_string(content.size()) + "</size></data>\n";
  };
  tree[folder + name] = packed;
  tree[folder + others_name] = others;
  tree[folder + "repodata/repomd.xml"] =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd "
      "xmlns=\"http://linux.duke.edu/metadata/repo\">\n<revision>1</revision>\n" +
      data("primary", name, packed) + data("filelists", others_name, others) + "</repomd>\n";
}

TreeFiles centos7_tree() {
  TreeFiles tree;
  tree["images/pxeboot/vmlinuz"] = "kernel of seven";
  tree["images/pxeboot/initrd.img"] = noise(50'000, 71);
  tree["LiveOS/squashfs.img"] = "hsqs" + noise(100'000, 72);
  tree["isolinux/vmlinuz"] = tree["images/pxeboot/vmlinuz"];
  tree["Packages/bash-4.2-1.x86_64.rpm"] = "\xed\xab\xee\xdb" + noise(9'000, 73);
  tree["Packages/kernel-3.10-1.x86_64.rpm"] = "\xed\xab\xee\xdb" + noise(2'500'000, 74);
  tree["Packages/libstdc++-4.8-1.x86_64.rpm"] = "\xed\xab\xee\xdb" + noise(1'000, 75);
  tree["EULA"] = "";
  tree[".discinfo"] = "1504618287.723\n7.4\nx86_64\nALL\n";
  add_repodata(tree, "");
  tree[".treeinfo"] =
      "[general]\nname = CentOS-7\nfamily = CentOS\ntimestamp = 1504618287.72\nvariant = \n"
      "version = 7\npackagedir = \narch = x86_64\n\n"
      "[stage2]\nmainimage = LiveOS/squashfs.img\n\n"
      "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n"
      "boot.iso = images/boot.iso\n\n"
      "[images-xen]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n\n"
      "[checksums]\nimages/boot.iso = sha256:" +
      sha256_hex("elsewhere") + "\n" + checksum_line(tree, "images/pxeboot/vmlinuz") +
      checksum_line(tree, "images/pxeboot/initrd.img") +
      checksum_line(tree, "LiveOS/squashfs.img") + checksum_line(tree, "repodata/repomd.xml");
  return tree;
}

TreeFiles el9_dvd_tree() {
  TreeFiles tree;
  add_boot_files(tree, "");
  tree["BaseOS/Packages/b/bash-5.1-9.el9.x86_64.rpm"] = noise(4'000, 93);
  tree["AppStream/Packages/n/nginx-1.20-1.el9.x86_64.rpm"] = noise(5'000, 94);
  add_repodata(tree, "BaseOS/");
  add_repodata(tree, "AppStream/");
  tree[".treeinfo"] = checksums_of_boot_files(tree, "") + productmd_head() +
                      "[variant-AppStream]\nid = AppStream\npackages = AppStream/Packages\n"
                      "repository = AppStream\ntype = variant\nuid = AppStream\n\n"
                      "[variant-BaseOS]\nid = BaseOS\npackages = BaseOS/Packages\n"
                      "repository = BaseOS\ntype = variant\nuid = BaseOS\n";
  return tree;
}

TreeFiles el9_mirror() {
  TreeFiles tree;
  const std::string base = "9/BaseOS/x86_64/os/";
  const std::string apps = "9/AppStream/x86_64/os/";
  add_boot_files(tree, base);
  tree[base + "Packages/b/bash-5.1-9.el9.x86_64.rpm"] = noise(4'000, 93);
  tree[apps + "Packages/n/nginx-1.20-1.el9.x86_64.rpm"] = noise(5'000, 94);
  tree[base + "media.repo"] = "[InstallMedia]\n";
  add_repodata(tree, base);
  add_repodata(tree, apps);
  tree[base + ".treeinfo"] =
      checksums_of_boot_files(tree, base) + productmd_head() +
      "[variant-AppStream]\nid = AppStream\nrepository = ../../../AppStream/x86_64/os\n"
      "type = variant\nuid = AppStream\n\n"
      "[variant-BaseOS]\nid = BaseOS\nrepository = ../../../BaseOS/x86_64/os\n"
      "type = variant\nuid = BaseOS\n";
  return tree;
}

TreeFiles debian_tree() {
  TreeFiles tree;
  tree[".disk/info"] =
      "Debian GNU/Linux 12.4.0 \"Bookworm\" - Official amd64 NETINST with firmware "
      "20231210-17:56";
  tree["install.amd/vmlinuz"] = "kernel of twelve";
  tree["install.amd/initrd.gz"] = noise(7'000, 12);
  tree["pool/main/b/bash/bash_5.2_amd64.deb"] = noise(3'000, 13);
  tree["isolinux/isolinux.bin"] = "patched after the sums were written";
  std::string sums;
  for (const auto& [path, content] : tree) {
    AnyHasher hasher("md5");
    hasher.update(as_bytes(path == "isolinux/isolinux.bin" ? "before" : content));
    if (path != ".disk/info") sums += hasher.finish_hex() + "  ./" + path + "\n";
  }
  tree["md5sum.txt"] = sums;
  tree["debian"] = "-> .";
  tree["firmware/bash.deb"] = "-> ../pool/main/b/bash/bash_5.2_amd64.deb";
  return tree;
}

TreeFiles ubuntu_tree() {
  TreeFiles tree;
  tree[".disk/info"] = "Ubuntu-Server 22.04.3 LTS \"Jammy Jellyfish\" - Release amd64 (20230810)";
  tree["casper/vmlinuz"] = noise(700'000, 21);
  tree["casper/initrd"] = noise(1'900'000, 22);
  tree["casper/ubuntu-server-minimal.squashfs"] = "hsqs" + noise(6'000'000, 23);
  tree["casper/filesystem.manifest"] = "bash\n";
  tree["pool/main/b/bash/bash_5.1_amd64.deb"] = "!<arch>\n" + noise(1'300'000, 24);
  tree["pool/main/c/cron/cron_3.0_amd64.deb"] = "!<arch>\n" + noise(60'000, 25);
  tree["EFI/boot/bootx64.efi"] = noise(90'000, 26);
  tree["empty"] = "";
  std::string sums;
  for (const auto& [path, content] : tree) {
    AnyHasher hasher("md5");
    hasher.update(as_bytes(content));
    if (path != ".disk/info") sums += hasher.finish_hex() + "  ./" + path + "\n";
  }
  tree["md5sum.txt"] = sums;
  tree["ubuntu"] = "-> .";
  return tree;
}

TreeFiles windows_tree() {
  return {{"README.TXT", "This disc contains a \"UDF\" file system."},
          {"boot/bcd", noise(20'000, 31)},
          {"boot/boot.sdi", noise(30'000, 32)},
          {"sources/boot.wim", "MSWIM" + noise(2'500'000, 33)},
          {"sources/A name that ISO 9660 could not have, whatever its level.txt", "long"},
          {"efi/boot/bootx64.efi", noise(9'000, 34)},
          {"sources/empty", ""}};
}

void write_file(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

ReadAt reader_of(const std::string& bytes) {
  return [&bytes](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<std::size_t> {
    if (offset >= bytes.size()) return std::size_t{0};
    const std::size_t size = std::min(out.size(), bytes.size() - offset);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
    return size;
  };
}

std::string read_file(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

void write_folder(const TreeFiles& tree, const std::string& folder) {
  for (const auto& [path, content] : tree) {
    const std::string full = folder + "/" + path;
    if (!is_link(content)) {
      write_file(full, content);
      continue;
    }
    std::filesystem::create_directories(std::filesystem::path(full).parent_path());
    std::filesystem::create_symlink(content.substr(3), full);
  }
}

void write_iso(const TreeFiles& tree, const std::string& path) {
  Writer writer(::archive_write_new());
  FARBOOT_CHECK(::archive_write_set_format_iso9660(writer.get()) == ARCHIVE_OK);
  FARBOOT_CHECK(::archive_write_set_options(writer.get(), "rockridge=useful,joliet,!pad") ==
                ARCHIVE_OK);
  FARBOOT_CHECK(::archive_write_open_filename(writer.get(), path.c_str()) == ARCHIVE_OK);
  for (const auto& [name, content] : tree) put_entry(writer.get(), name, content);
  FARBOOT_CHECK(::archive_write_close(writer.get()) == ARCHIVE_OK);
}

void write_udf(const TreeFiles& tree, const std::string& path, const UdfHalf& half) {
  write_folder(tree, path + ".tree");
  std::string command = "genisoimage -quiet -udf -V WINDOWS";
  if (half.rock_ridge) command += " -R";
  for (const std::string& name : half.hidden) command += " -hide " + name;
  for (const std::string& name : half.hidden_in_udf) command += " -hide-joliet " + name;
  command += " -o '" + path + "' '" + path + ".tree' 2>&1";
  FARBOOT_CHECK(std::system(command.c_str()) == 0);  // of `./dev deps`
}

void write_deb(const TreeFiles& files, const std::string& path) {
  std::string tar;
  Writer writer(::archive_write_new());
  ::archive_write_set_format_ustar(writer.get());
  ::archive_write_add_filter_xz(writer.get());
  ::archive_write_set_bytes_per_block(writer.get(), 0);
  FARBOOT_CHECK(::archive_write_open(writer.get(), &tar, keep_bytes_open, keep_bytes, nullptr) ==
                ARCHIVE_OK);
  for (const auto& [name, content] : files) put_entry(writer.get(), "./" + name, content);
  tar = finish(std::move(writer), tar);

  Writer deb(::archive_write_new());
  ::archive_write_set_format_ar_svr4(deb.get());
  FARBOOT_CHECK(::archive_write_open_filename(deb.get(), path.c_str()) == ARCHIVE_OK);
  put_entry(deb.get(), "debian-binary", "2.0\n");
  put_entry(deb.get(), "control.tar.xz", "not looked at");
  put_entry(deb.get(), "data.tar.xz", tar);
  FARBOOT_CHECK(::archive_write_close(deb.get()) == ARCHIVE_OK);
}

}  // namespace farboot
