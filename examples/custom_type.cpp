// Your own hosted type: its operations, its class, its proxy, and workers that share one object of it.
#include <unistd.h>

#include <iostream>
#include <map>
#include <tandem/hosted.hpp>
#include <tandem/server.hpp>
#include <tandem/tandem.hpp>

using namespace tandem::ops;

struct TallyOps {  // known to both sides
  static constexpr std::string_view type = "tally";
  static constexpr std::uint8_t number = 128;
  using Create = Op<0, "create(names)", Effect::writes, void(Items)>;
  using Vote = Op<1, "vote(name, votes=1)", Effect::writes, Int(Text, Optional<Int>)>;
  using Leader = Op<2, "leader()", Effect::reads, Text()>;
  using All = OpList<Create, Vote, Leader>;
};

class Tally {  // lives in the manager
 public:
  using Ops = TallyOps;
  void on(Ops::Create, const std::vector<std::string>& names) {
    if (names.empty()) throw tandem::ValueError("an election needs candidates");
    for (const std::string& name : names) votes_[name] = 0;
  }
  int on(Ops::Vote, const std::string& name, std::optional<int> votes) {
    if (!votes_.contains(name)) throw tandem::KeyError(name + " does not stand for election");
    return votes_[name] += votes.value_or(1);
  }
  std::string on(Ops::Leader) const {
    return std::ranges::max_element(votes_, {}, [](const auto& entry) { return entry.second; })->first;
  }
  std::size_t size() const { return votes_.size(); }
  const std::map<std::string, int>& show() const { return votes_; }  // for people: `tandem get mayor`

 private:
  std::map<std::string, int> votes_;
};

struct TallyProxy : tandem::ProxyOf<TallyOps> {  // what clients hold
  using ProxyOf::ProxyOf;
  int vote(const std::string& name, int votes = 1) const { return call<TallyOps::Vote, int>(name, votes); }
  std::string leader() const { return call<TallyOps::Leader>(); }
};

int main() try {
  tandem::Server server(
      {.listen = {"unix:@tally-" + std::to_string(getpid())}, .types = {tandem::hosted<Tally>()}});
  server.start();
  tandem::Manager manager(server.addresses().front());
  auto mayor = manager.create<TallyProxy>("mayor", std::vector<std::string>{"Ada", "Bob"});
  std::vector<tandem::Process> voters;
  for (int n = 0; n < 5; ++n) voters.emplace_back([=] { mayor.vote(n % 2 == 0 ? "Ada" : "Bob", 10); });
  for (tandem::Process& voter : voters) voter.join();
  std::cout << mayor.leader() << " leads with " << mayor.vote(mayor.leader(), 0) << " votes\n";
  mayor.vote("Eve");
} catch (const tandem::KeyError& error) {
  std::cout << "KeyError: " << error.what() << '\n';
}
