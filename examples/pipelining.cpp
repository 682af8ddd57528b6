// Counts the words of a text in a dict that any process may read: thousands of operations, none of which
// waits for the reply to the one before. Only the results needed at the end are waited for.
#include <iostream>
#include <sstream>
#include <tandem/tandem.hpp>
#include <vector>

int main() {
  namespace ops = tandem::ops;
  tandem::Manager manager;
  auto words = manager.list<std::string>();
  auto counts = manager.dict<std::string, int>();

  std::string text;
  for (int i = 0; i < 1000; ++i) text += "row row row your boat gently down the stream ";

  auto pipeline = manager.pipeline();
  auto all = pipeline(words);  // the same list; its operations go into the pipeline
  std::istringstream reader(text);
  for (std::string word; reader >> word;) {
    all.push_back(word);
    pipeline.send<ops::Dict::Add>(counts, word, 1, std::nullopt);
  }
  auto size = pipeline.call<ops::List::Size>(words);
  auto row = pipeline.call<ops::Dict::At, int>(counts, "row");
  auto oar = pipeline.call<ops::Dict::At, int>(counts, "oar");

  std::cout << size.get() << " words, " << row.get() << " of them \"row\"\n";
  try {
    oar.get();
  } catch (const tandem::KeyError& error) {
    std::cout << "\"oar\": " << error.what() << '\n';
  }
}
