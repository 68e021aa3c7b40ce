// A mirror of an RPM install tree behind http(s):// or file://. A mirror cannot be listed, so what
// there is comes from the tree itself: .treeinfo names images and repositories, repomd.xml names
// metadata, primary.xml names packages; a few well-known extras are asked for one by one.
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/store/content_store.h"
#include "controller/import/http_fetch.h"
#include "controller/import/journal.h"
#include "controller/import/repodata.h"
#include "controller/import/tree_info.h"
#include "controller/import/tree_source.h"

namespace farboot {

/// Variants may lie beside the tree (`../../../AppStream/x86_64/os`): then the tree's root is the
/// directory above them all, root() is where .treeinfo lies, and every relative address that an
/// installer joins stays inside.
class MirrorSource final : public TreeSource {
 public:
  /// `journal`: as in ImportRequest. Errors: invalid (a query, an ISO's address), unavailable.
  static Result<std::unique_ptr<MirrorSource>> open(const std::string& url,
                                                    const std::string& journal);

  Result<Listing> list(Meter& meter) override;
  Result<void> read(const Listing& listing, Intake& intake) override;
  Result<std::uint64_t> held_bytes(const Listing& listing, const ContentStore& store) override;
  bool is_local() const override { return false; }
  std::string root() const override { return root_; }

 private:
  MirrorSource(std::string url, ImportJournal journal)
      : base_(std::move(url)), journal_(std::move(journal)) {}

  Result<TreeInfo> fetch_tree_info(HttpFetch& fetch);
  Result<void> rise_above(const TreeInfo& info);
  Result<void> list_images(HttpFetch& fetch, const TreeInfo& info);
  Result<void> list_repositories(HttpFetch& fetch, const TreeInfo& info);
  Result<void> list_repository(HttpFetch& fetch, const std::string& folder);
  Result<void> list_packages(const std::string& folder, const std::string& primary);
  Result<void> list_repo_file(const std::string& folder, const RepoFile& named);
  Result<void> list_extras(HttpFetch& fetch);
  Result<bool> probe(HttpFetch& fetch, const std::string& path);
  void add(SourceFile file);
  void keep_fetched(const std::string& path, Bytes bytes);
  Result<std::string> below_root(std::string_view written) const;
  Result<void> read_file(HttpFetch& fetch, const SourceFile& file, Intake& intake);
  /// The file's entry if its digest is known and the store holds all of it.
  Result<std::optional<FileEntry>> find_held(const SourceFile& file, const ContentStore& store);

  std::string base_;  ///< address of the tree's root, no slash at the end
  std::string root_;  ///< from there to the .treeinfo
  ImportJournal journal_;
  Listing listing_;
  std::set<std::string> listed_;
  std::map<std::string, Bytes> fetched_;  ///< metadata read while listing; not fetched again
};

}  // namespace farboot
